"""What a newcomer's clone relies on: the lock, the Makefile, CI, and a tree that names no machine and no package host."""

import os
import re
import subprocess
import tomllib
from itertools import pairwise

import pytest
import yaml

from mlpipe_assets.settings import PROJECT_ROOT

# In pieces, so that this file holds none of them.
PACKAGE_HOSTS = ["py" + "pi.org", "python" + "hosted", "registry." + "npmjs", "deb." + "debian"]
MACHINE_PATH = r"(^|[^A-Za-z0-9._-])/(work|farm|root|tmp/lab)/"
MEGABYTE = 1_000_000


def text_of(name: str) -> str:
    return (PROJECT_ROOT / name).read_text(encoding="utf-8")


def run(*command: str) -> str:
    """What the command prints, run at the top of the project."""
    return subprocess.run(command, cwd=PROJECT_ROOT, check=True, capture_output=True, text=True).stdout


def files_of_the_repository() -> list[str]:
    """Tracked files, and those that would be with the next `git add`."""
    listed = run("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard").split("\0")
    return [name for name in listed if (PROJECT_ROOT / name).is_file()]


def test_every_locked_package_is_pinned_and_hashed() -> None:
    lines = [line for line in text_of("requirements.lock").splitlines() if not line.lstrip().startswith("#")]

    pins = [line for line in lines if not line.startswith(" ")]
    hashed = [line for line, below in pairwise(lines) if re.match(r"    --hash=sha256:[0-9a-f]{64}( \\)?$", below)]

    assert len(pins) > 100
    assert all(re.match(r"[a-z0-9._-]+(\[[a-z,]+\])?==\S+( ; .+)? \\$", line) for line in pins)
    assert [line for line in hashed if not line.startswith(" ")] == pins


def test_the_lock_names_no_address() -> None:
    assert "://" not in text_of("requirements.lock")
    assert not re.findall(r"^\s*--(?!hash=)", text_of("requirements.lock"), re.MULTILINE)


def test_every_dependency_of_the_project_is_locked() -> None:
    project = tomllib.loads(text_of("pyproject.toml"))["project"]
    locked = set(re.findall(r"^([a-z0-9._-]+)==", text_of("requirements.lock"), re.MULTILINE))

    declared = [*project["dependencies"], *project["optional-dependencies"]["dev"]]

    assert {re.split(r"[\[<>=]", requirement)[0] for requirement in declared} <= locked


def test_the_installer_and_the_build_backend_are_locked_too() -> None:
    locked = text_of("requirements.lock")

    assert re.search(r"^uv==", locked, re.MULTILINE)
    assert re.search(r"^hatchling==", locked, re.MULTILINE)


@pytest.mark.parametrize(
    "name",
    [
        "uv.lock",
        ".venv/bin/python",
        ".dagster/history/runs.db",
        "data/interim/orders/date=2026-01-05/part.parquet",
        "data/raw/_events/orders/date=2026-01-05/a.parquet",
        "data/raw/orders/a_users_own_delivery.csv",
    ],
)
def test_what_is_made_or_dropped_locally_is_ignored(name: str) -> None:
    assert run("git", "check-ignore", name).strip() == name


def test_the_sample_deliveries_belong_to_the_repository() -> None:
    sample = {name for name in files_of_the_repository() if name.startswith("data/raw/")}

    assert len(sample) == 121 + 4
    assert "text: unset" in run("git", "check-attr", "text", "data/raw/orders/orders_2026-01-05.csv")


def test_ci_runs_every_test() -> None:
    def chosen(target: str) -> list[str]:
        printed = run("make", "--dry-run", "--always-make", target)
        return re.findall(r"pytest .*-m \"(.+?)\"", printed)

    assert os.access(PROJECT_ROOT / ".ci" / "run", os.X_OK)
    assert re.search(r"^exec make test-all$", text_of(".ci/run"), re.MULTILINE)
    assert chosen("test") == ["not (loop or browser or faults or fuzz or long)"]
    assert chosen("test-all") == [
        "not (loop or browser or faults or fuzz or long)",
        "loop or browser or faults or fuzz or long",
    ]


def test_no_file_is_larger_than_a_megabyte() -> None:
    large = [name for name in files_of_the_repository() if (PROJECT_ROOT / name).stat().st_size > MEGABYTE]

    assert large == []


@pytest.mark.parametrize("pattern", [*map(re.escape, PACKAGE_HOSTS), MACHINE_PATH])
def test_no_file_names_a_machine_or_a_package_host(pattern: str) -> None:
    named = [
        name
        for name in files_of_the_repository()
        if re.search(pattern.encode(), (PROJECT_ROOT / name).read_bytes(), re.MULTILINE)
    ]

    assert named == []


def test_dagster_sends_no_telemetry_and_asks_nobody_to_join() -> None:
    instance = yaml.safe_load(text_of("dagster.yaml"))

    assert instance["telemetry"] == {"enabled": False}
    assert instance["nux"] == {"enabled": False}


def test_dagsters_own_tools_find_the_definitions() -> None:
    tools = tomllib.loads(text_of("pyproject.toml"))["tool"]
    (location,) = yaml.safe_load(text_of("workspace.yaml"))["load_from"]

    assert tools["dagster"]["module_name"] == location["python_module"]["module_name"] == "mlpipe_assets.definitions"
    assert tools["dg"]["project"]["root_module"] == "mlpipe_assets"


def test_sqlalchemy_stays_where_dagster_postgres_works() -> None:
    (version,) = re.findall(r"^sqlalchemy==(\d+\.\d+)", text_of("requirements.lock"), re.MULTILINE)

    assert version == "2.0"


def test_make_alone_lists_the_targets() -> None:
    printed = run("make")

    for target in ("run", "test", "test-all", "dev", "check", "bench", "golden", "lock"):
        assert re.search(rf"^  {target} +\S", printed, re.MULTILINE), target
