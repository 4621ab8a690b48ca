"""mlpipe catalog, as it is typed."""

import json
import re
import shlex
from pathlib import Path

import pytest

from mlpipe_assets.cli import main
from mlpipe_assets.settings import PROJECT_ROOT
from mlpipe_assets.store.lake import Lake

_PAGE = (PROJECT_ROOT / "docs" / "catalog.md").read_text(encoding="utf-8")
_COMMANDS = re.findall(r"^mlpipe (.+)$", "\n".join(re.findall(r"```sh\n(.*?)```", _PAGE, re.DOTALL)), re.MULTILINE)


@pytest.fixture
def there(two_days: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to call from, with the lake set."""
    monkeypatch.setenv("MLPIPE_DATA_DIR", f"{two_days.root}")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("command", _COMMANDS)
def test_every_command_of_the_page_does_what_it_says(there: Path, command: str) -> None:
    assert main(shlex.split(command)) == 0


def test_a_search_says_where_it_found_the_words(there: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["catalog", "search", "emial", "--json"]) == 0

    (hit,) = json.loads(capsys.readouterr().out)
    assert (hit["table"], hit["where"]) == ("interim/customers", ["column email"])


def test_nothing_found_is_said_in_a_sentence(there: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["catalog", "search", "zebras"]) == 0

    assert capsys.readouterr().out == "No table has zebras in its name, columns, tags, owners or description.\n"


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["show"], "takes one table"),
        (["show", "stg.oders"], "Spelled alike: interim/orders"),
        (["search"], "no word to look for"),
        (["search", "email", "--out", "x"], "--out goes with site and export"),
        (["site", "email"], "takes no word"),
        (["export"], "export needs one"),
        (["site", "--format", "odcs"], "--format goes with export"),
    ],
)
def test_what_does_not_go_together_is_refused(
    there: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], told: str
) -> None:
    assert main(["catalog", *arguments]) == 2

    assert told in capsys.readouterr().err
    assert [*there.iterdir()] == []
