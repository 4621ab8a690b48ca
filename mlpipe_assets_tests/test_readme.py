"""README.md and the pages of docs/ as a newcomer follows them: files, steps and commands as they are written."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from mlpipe_assets.arguments import make_parser
from mlpipe_assets.settings import PROJECT_ROOT
from mlpipe_assets_tests.dagster_homes import quiet_home

BIN = Path(sys.executable).parent
PAGES = {
    name: (PROJECT_ROOT / name).read_text(encoding="utf-8")
    for name in (
        *("README.md", "docs/own-data.md", "docs/reading-tables.md", "docs/running-by-itself.md", "docs/models.md"),
        *(
            "docs/monitoring.md",
            "docs/when-it-fails.md",
            "docs/settings.md",
            "docs/serving.md",
            "docs/feature-store.md",
            "docs/versions.md",
            "docs/lineage.md",
            "docs/catalog.md",
        ),
    )
}
IN_A_SHOP = [
    "docs/lineage.md",
    "docs/versions.md",
    "docs/reading-tables.md",
    "docs/running-by-itself.md",
    "docs/models.md",
    "docs/when-it-fails.md",
]
_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_FILE = re.compile(r"(A new file|All of) `([\w/.]+)`:\s*$")


def blocks(kind: str, page: str) -> list[tuple[str, str]]:
    """Fenced blocks of a kind, each with the line before it."""
    text = PAGES[page]
    return [(text[: m.start()].rstrip().rpartition("\n")[2], m[2]) for m in _BLOCK.finditer(text) if m[1] == kind]


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


def environment(folder: Path, programs: Path | None = None) -> dict[str, str]:
    """As `make shell` sets it, and nothing of ours, nor of a make that runs these tests."""
    ours = ("MLPIPE_", "DAGSTER", "PYTHON", "MAKE", "MFLAGS")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    home = folder / ".dagster"
    if not home.exists():
        quiet_home(folder).rename(home)
    return {
        **kept,
        "PATH": f"{programs or folder / '.venv' / 'bin'}:{kept['PATH']}",
        "DAGSTER_HOME": str(home),
        "MLPIPE_SETTLE_SECONDS": "0",
        "GIT_CEILING_DIRECTORIES": str(folder.parent),
    }


def sh(folder: Path, script: str, programs: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=folder,
        env=environment(folder, programs),
        capture_output=True,
        text=True,
        check=False,
    )


def written(folder: Path) -> list[str]:
    """Write the files of the four steps as the page says, and give their names."""
    names: list[str] = []
    for kind in ("python", "sql"):
        for before, text in blocks(kind, "docs/own-data.md"):
            said = _FILE.search(before)
            assert said, f"no file is named before {text[:60]!r}"
            path = folder / said[2]
            assert path.exists() == (said[1] == "All of")
            path.write_text(text)
            names.append(said[2])
    return names


def steps(page: str) -> list[tuple[str, str]]:
    """Scripts, and commands with what they print, of a page in their order."""
    return [(m[1], m[2]) for m in _BLOCK.finditer(PAGES[page]) if m[1] in ("sh", "text")]


def follow(folder: Path, session: str) -> None:
    """Run the `$ ` lines of a block, each of which must print the lines under it."""
    for part in re.split(r"^\$ ", session, flags=re.MULTILINE)[1:]:
        command, _, expected = part.partition("\n")
        done = sh(folder, command, BIN)
        assert done.returncode == 0, done.stdout + done.stderr
        lines = [line.split() for line in done.stdout.splitlines()]
        assert all(line.split() in lines for line in expected.splitlines()), (command, done.stdout)


@pytest.mark.slow
@pytest.mark.long
def test_the_four_steps_work_as_they_are_written(tmp_path: Path) -> None:
    (_, begin), (_, files) = blocks("sh", "docs/own-data.md")
    assert sh(tmp_path, begin, BIN).returncode == 0
    folder = tmp_path / "bank"
    assert sh(folder, files, BIN).returncode == 0

    names = written(folder)

    assert names == [
        "bank/contracts/payments.py",
        "bank/contracts/card_features.py",
        "bank/transforms/payments.py",
        "bank/catalog/sources.py",
        "bank/catalog/feature_views.py",
        "bank/contracts/card_countries.py",
        "bank/catalog/feature_views.py",
        "bank/sql/features/card_countries.sql",
    ]
    for _, typed in blocks("text", "docs/own-data.md"):
        follow(folder, typed)


@pytest.mark.parametrize("page", PAGES)
def test_every_mlpipe_command_is_one(page: str) -> None:
    text = "\n".join(block for kind in ("sh", "text") for _, block in blocks(kind, page))
    commands = re.findall(r'^(?:\$ )?(mlpipe (?:[^"\n#>|&]|"[^"]*")+)', text, re.MULTILINE)

    for command in commands:
        make_parser().parse_args(shlex.split(command)[1:])


@pytest.mark.parametrize("page", PAGES)
def test_every_link_leads_somewhere(page: str) -> None:
    for link in re.findall(r"\]\((?!https?:)([^)]+)\)", PAGES[page]):
        path, _, heading = link.partition("#")
        target = (PROJECT_ROOT / page).parent / path if path else PROJECT_ROOT / page
        assert target.exists(), link
        if heading:
            titles = re.findall(r"^#+ (.+)$", target.read_text(encoding="utf-8"), re.MULTILINE)
            assert heading in {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}, link


def test_a_stranger_reads_the_readme_in_three_minutes() -> None:
    assert PAGES["README.md"].count("\n") <= 200


def runs(folder: Path, script: str, programs: Path | None = None) -> None:
    """Run a block of a page as it is written."""
    done = sh(folder, script, programs)
    said = done.stdout + done.stderr
    assert "Traceback" not in said, said
    if "rollback" in script:  # there is one champion yet
        assert done.returncode in {1, 2}, said
    else:
        assert done.returncode == 0, f"{script}\n{said}"


@pytest.mark.slow
@pytest.mark.long
def test_a_declaration_is_answered_over_http_as_the_page_says(tmp_path: Path) -> None:
    (_, begin), (_, files) = blocks("sh", "docs/own-data.md")
    runs(tmp_path, begin, BIN)
    folder = tmp_path / "bank"
    runs(folder, files, BIN)
    written(folder)
    runs(folder, "mlpipe run", BIN)

    for kind, text in steps("docs/feature-store.md"):
        if kind == "sh":
            runs(folder, text, BIN)
        else:
            follow(folder, text)


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project of one's own that was run once."""
    folder = tmp_path_factory.mktemp("pages")
    runs(folder, "mlpipe init shop && cd shop && make run", BIN)
    return folder / "shop"


@pytest.mark.slow
@pytest.mark.long
@pytest.mark.parametrize("page", IN_A_SHOP)
def test_every_command_of_a_page_runs_as_it_is_written(shop: Path, page: str) -> None:
    for _, script in blocks("sh", page):
        runs(shop, script, BIN)
    for _, program in blocks("python", page):
        (shop / "program.py").write_text(program)
        runs(shop, "python program.py", BIN)


@pytest.mark.slow
@pytest.mark.loop
def test_every_command_of_the_readme_runs_as_it_is_written(tmp_path: Path) -> None:
    folder = copy_of_the_checkout(tmp_path / "checkout")
    first = sh(folder, "make run")
    assert first.returncode == 0, first.stdout + first.stderr
    assert "Done in" in first.stdout

    for _, script in blocks("sh", "README.md"):
        runs(folder, script)
    ((_, program),) = blocks("python", "README.md")
    (folder / "program.py").write_text(program)
    runs(folder, "python program.py")


def test_make_shell_finds_the_commands(tmp_path: Path) -> None:
    folder = copy_of_the_checkout(tmp_path / "checkout")

    done = subprocess.run(
        ["make", "shell"], cwd=folder, env={**environment(folder), "SHELL": "/bin/sh"}, input="command -v mlpipe\n",
        capture_output=True, text=True, check=True,
    )  # fmt: skip

    assert done.stdout.splitlines()[-1] == str(folder / ".venv" / "bin" / "mlpipe")
