"""What a message suggests can be pasted into the shell it is read in, in a checkout and in a project of one's own."""

from pathlib import Path

import pytest

from mlpipe_assets.commands.calling import make_dev

DEV = "dev:\n\ttrue\n"


@pytest.mark.parametrize(
    ("makefile", "below", "expected"),
    [
        (DEV, "", "make dev"),
        (DEV, "notes", "make -C '{root}' dev"),
        ("all:\n\ttrue\n", "", "DAGSTER_HOME='{root}/.dagster' dagster dev -m mlpipe_assets.definitions"),
        (None, "notes", "DAGSTER_HOME='{root}/.dagster' dagster dev -m mlpipe_assets.definitions"),
    ],
)
def test_dagsters_ui_is_started_by_the_projects_makefile_where_it_can(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, makefile: str | None, below: str, expected: str
) -> None:
    root = tmp_path / "my shop"
    (root / "notes").mkdir(parents=True)
    (root / "pyproject.toml").write_text('[tool.mlpipe]\ncatalog = "mlpipe_assets.catalog.contents"\n')
    if makefile:
        (root / "Makefile").write_text(makefile)
    monkeypatch.chdir(root / below)
    for name in ("MLPIPE_CATALOG", "DAGSTER_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("shutil.which", lambda name: f"/bin/{name}")

    assert make_dev() == expected.format(root=root)
