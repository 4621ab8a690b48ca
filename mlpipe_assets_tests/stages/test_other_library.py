"""A champion under another build of scikit-learn: the installed one with one line changed, in a process of its own."""

import importlib.metadata
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import sklearn

from mlpipe_assets_tests.champions import crowned_lake
from mlpipe_assets_tests.planted import day

_ANSWER = "prob = _expit(prob, out=prob, xp=xp)"  # where a logistic regression turns its score into a probability
_ASK = """
import json, sys
from datetime import date
from pathlib import Path
from mlpipe_assets.stages.validation.plan import golden_work
from mlpipe_assets.store.lake import Lake
from mlpipe_assets.stages.validation.asset import ask_again
from mlpipe_assets_tests.champions import learning_catalog

lake, catalog = Lake(data_dir=sys.argv[1]), learning_catalog(Path(sys.argv[2]))
model, day = catalog.models[0], date.fromisoformat(sys.argv[3])
due = [f"{d}" for d in golden_work(lake, catalog, model, lambda _: True).days]
(outcome,) = ask_again(lake, catalog, model, [day])
print(json.dumps({"due": due, "refused": outcome.refused, "breaches": outcome.breaches, "counts": outcome.counts}))
"""


def other_build(folder: Path, version: str, answer: str = _ANSWER) -> Path:
    """scikit-learn as it is installed here, under another version and with another way to a probability."""
    installed = Path(sklearn.__file__).parent
    shutil.copytree(installed, folder / "sklearn", copy_function=os.symlink, ignore=shutil.ignore_patterns("tests"))
    (folder / "scikit_learn.libs").symlink_to(installed.parent / "scikit_learn.libs")
    named = folder / f"scikit_learn-{version}.dist-info"
    named.mkdir()
    (named / "METADATA").write_text(f"Metadata-Version: 2.4\nName: scikit-learn\nVersion: {version}\n")
    for file, pattern, new in (
        ("__init__.py", r'__version__ = ".*"', f'__version__ = "{version}"'),
        ("linear_model/_base.py", re.escape(_ANSWER), answer),
    ):
        target = folder / "sklearn" / file
        text, changes = re.subn(pattern, new, target.read_text())
        assert changes == 1, f"{file} of scikit-learn {sklearn.__version__} reads otherwise; change this test"
        target.unlink()
        target.write_text(text)
    return folder


def ask(tmp_path: Path, build: Path) -> dict[str, Any]:
    """The golden answers of the sixth day under that build."""
    command = [sys.executable, "-c", _ASK, f"{tmp_path / 'data'}", f"{tmp_path / 'sql'}", f"{day(6)}"]
    done = subprocess.run(
        command, env={**os.environ, "PYTHONPATH": f"{build}"}, capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


@pytest.mark.long
def test_a_new_version_that_answers_the_same_is_asked_again_and_passes(tmp_path: Path) -> None:
    crowned_lake(tmp_path)

    found = ask(tmp_path, other_build(tmp_path / "build", "99.1"))

    assert importlib.metadata.version("scikit-learn") != "99.1"
    assert found == {"due": [f"{day(6)}"], "refused": None, "breaches": [], "counts": {"rows": 3, "moved": 0}}


@pytest.mark.long
@pytest.mark.parametrize(
    ("answer", "said"),
    [
        pytest.param(
            "prob = _expit(prob * 1.01, out=prob, xp=xp)",
            r"customer_id sha256 [0-9a-f]{12} as of 2026-01-06: 0\.\d{6}, now 0\.\d{6}",
            id="other answers",
        ),
        pytest.param(
            "raise TypeError('prob moved')", r"now no answer: TypeError", marks=pytest.mark.long, id="no answers"
        ),
    ],
)
def test_a_new_version_that_answers_otherwise_is_found_and_its_rows_are_named(
    answer: str, said: str, tmp_path: Path
) -> None:
    crowned_lake(tmp_path)

    found = ask(tmp_path, other_build(tmp_path / "build", "99.2", answer))

    assert found["refused"] == "golden answers moved"
    assert found["counts"] == {"rows": 3, "moved": 3}
    assert found["breaches"][0].startswith("3 golden answers moved (customer_id ")
    assert re.search(said, found["breaches"][0])
