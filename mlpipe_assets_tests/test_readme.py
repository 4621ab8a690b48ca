"""README.md as a newcomer follows it: its files, steps and commands as written, in a copy of the checkout."""

import os
import re
import shlex
import subprocess
from pathlib import Path

import pytest

from mlpipe_assets.arguments import make_parser
from mlpipe_assets.settings import PROJECT_ROOT
from mlpipe_assets_tests.dagster_homes import quiet_home

README = (PROJECT_ROOT / "README.md").read_text(encoding="utf-8")
_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_FILE = re.compile(r"(A new file|At the end of) `([\w/.]+)`:\s*$")
_STEPS = README.index("## Bring your own data in four steps"), README.index("## From Dagster")


def blocks(kind: str, start: int = 0, end: int = len(README)) -> list[tuple[str, str]]:
    """Fenced blocks of a kind, each with the line before it."""
    found = [m for m in _BLOCK.finditer(README) if m[1] == kind and start <= m.start() < end]
    return [(README[: m.start()].rstrip().rpartition("\n")[2], m[2]) for m in found]


def copy_of_the_checkout(folder: Path) -> Path:
    """The tracked files and those about to be, with commands in .venv/bin that run the copy's code."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=PROJECT_ROOT, check=True, capture_output=True, text=True,
    ).stdout.split("\0")  # fmt: skip
    for name in listed:
        if name and not name.startswith("mlpipe_assets_tests/") and (PROJECT_ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes((PROJECT_ROOT / name).read_bytes())
    commands = folder / ".venv" / "bin"
    commands.mkdir(parents=True)
    for name in ("mlpipe", "python", "dagster"):
        real = PROJECT_ROOT / ".venv" / "bin" / name
        (commands / name).write_text(
            f'#!/bin/sh\nPYTHONPATH={shlex.quote(str(folder))} exec {shlex.quote(str(real))} "$@"\n'
        )
        (commands / name).chmod(0o755)
    (folder / ".venv" / ".lock-stamp").write_text(f"{folder}\n")
    return folder


def environment(folder: Path) -> dict[str, str]:
    """As `make shell` sets it, and nothing of ours, nor of a make that runs these tests."""
    ours = ("MLPIPE_", "DAGSTER", "PYTHON", "MAKE", "MFLAGS")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    home = folder / ".dagster"
    if not home.exists():
        quiet_home(folder).rename(home)
    return {
        **kept,
        "PATH": f"{folder / '.venv' / 'bin'}:{kept['PATH']}",
        "DAGSTER_HOME": str(home),
        "MLPIPE_SETTLE_SECONDS": "0",
        "GIT_CEILING_DIRECTORIES": str(folder.parent),
    }


def sh(folder: Path, script: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=folder,
        env=environment(folder),
        capture_output=True,
        text=True,
        check=False,
    )


def written(folder: Path) -> list[str]:
    """Write the files of the four steps as the README says, and give their names."""
    names: list[str] = []
    for kind in ("python", "sql"):
        for before, text in blocks(kind, *_STEPS):
            said = _FILE.search(before)
            assert said, f"no file is named before {text[:60]!r}"
            path = folder / said[2]
            if said[1] == "A new file":
                assert not path.exists()
                path.write_text(text)
            else:
                path.write_text(f"{path.read_text()}\n{text}")
            names.append(said[2])
    return names


def follow(folder: Path, session: str) -> None:
    """Run the `$ ` lines of a block, each of which must print the lines under it."""
    for part in re.split(r"^\$ ", session, flags=re.MULTILINE)[1:]:
        command, _, expected = part.partition("\n")
        done = sh(folder, command)
        assert done.returncode == 0, done.stdout + done.stderr
        lines = [line.split() for line in done.stdout.splitlines()]
        assert all(line.split() in lines for line in expected.splitlines()), (command, done.stdout)


def test_the_four_steps_work_as_they_are_written(tmp_path: Path) -> None:
    folder = copy_of_the_checkout(tmp_path / "checkout")
    for example in (folder / "data" / "raw").iterdir():  # the built-in example takes its half minute elsewhere
        for file in example.iterdir():
            file.unlink()
    ((_, files),) = blocks("sh", *_STEPS)
    assert sh(folder, files).returncode == 0

    names = written(folder)

    assert names == [
        "mlpipe_assets/contracts/payments.py",
        "mlpipe_assets/contracts/card_features.py",
        "mlpipe_assets/transforms/payments.py",
        "mlpipe_assets/catalog/sources.py",
        "mlpipe_assets/catalog/feature_views.py",
        "sql/features/card_features.sql",
    ]
    ((_, session),) = blocks("text", *_STEPS)
    follow(folder, session)


def test_every_mlpipe_command_of_the_readme_is_one() -> None:
    text = "\n".join(block for kind in ("sh", "text") for _, block in blocks(kind))
    commands = re.findall(r'^(?:\$ )?(mlpipe (?:[^"\n#]|"[^"]*")+)', text, re.MULTILINE)

    assert len(commands) > 10
    for command in commands:
        make_parser().parse_args(shlex.split(command)[1:])


@pytest.mark.slow
@pytest.mark.loop
def test_every_command_of_the_readme_runs_as_it_is_written(tmp_path: Path) -> None:
    folder = copy_of_the_checkout(tmp_path / "checkout")
    first = sh(folder, "make run")
    assert first.returncode == 0, first.stdout + first.stderr
    assert "Done in" in first.stdout

    for _, script in blocks("sh"):
        done = sh(folder, script)
        said = done.stdout + done.stderr
        assert "Traceback" not in said, said
        if "rollback" in script:  # there is one champion yet
            assert done.returncode in {1, 2}, said
        else:
            assert done.returncode == 0, f"{script}\n{said}"
    ((_, program),) = [(before, text) for before, text in blocks("python") if "Project()" in text]
    (folder / "program.py").write_text(program)
    assert sh(folder, "python program.py").returncode == 0


def test_make_shell_finds_the_commands(tmp_path: Path) -> None:
    folder = copy_of_the_checkout(tmp_path / "checkout")

    done = subprocess.run(
        ["make", "shell"], cwd=folder, env={**environment(folder), "SHELL": "/bin/sh"}, input="command -v mlpipe\n",
        capture_output=True, text=True, check=True,
    )  # fmt: skip

    assert done.stdout.splitlines()[-1] == str(folder / ".venv" / "bin" / "mlpipe")
