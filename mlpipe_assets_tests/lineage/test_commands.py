"""What `mlpipe blame` and `mlpipe lineage` print, at 80 columns and as JSON, and the picture."""

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from rich.console import Console

from mlpipe_assets.cli import main
from mlpipe_assets.commands import lineage as commands
from mlpipe_assets.engines.duckdb_engine import DuckDBEngine
from mlpipe_assets.errors import SettingsError
from mlpipe_assets.lineage.asking import Lineage
from mlpipe_assets.publish.warehouse import query
from mlpipe_assets_tests.lineage.history import BAD, MODEL, ask, lived

Asked = Callable[..., str]


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> Lineage:
    return ask(*lived(tmp_path_factory.mktemp("commands")))


@pytest.fixture
def asked(history: Lineage, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Asked:
    """What a command prints about the history, on a terminal of 80 columns."""
    monkeypatch.setattr(commands, "open_lake", lambda: (history.lake, history.catalog))
    monkeypatch.setattr(
        commands, "make_console", lambda *_: Console(width=80, highlight=False, emoji=False, force_terminal=False)
    )

    def call(*arguments: str, code: int = 0) -> str:
        capsys.readouterr()
        assert main(arguments) == code
        told = capsys.readouterr()
        return told.out if code == 0 else told.err

    return call


def test_blame_says_in_one_screen_what_came_of_a_file_and_what_to_do(asked: Asked) -> None:
    said = asked("blame", BAD)

    lines = said.splitlines()
    assert lines[0].startswith(f"file raw/orders@{BAD}, digest ")
    assert lines[0].endswith("replaced since")
    assert lines[1].startswith(f"another content of that name, in force now: {BAD}#")
    table = [line for line in lines if line.startswith("│")]
    assert max(map(len, table)) <= 80
    cells = [[cell.strip() for cell in line.strip("│").split("│")] for line in table]
    assert ["features/spend", "0", "", "3 replaced"] in cells
    assert ["processed/returning", "1", "2026-01-05", ""] in cells
    assert ["predictions/returning", "1", "2026-01-06: 2 predictions", ""] in cells
    assert ["returning", "2026-01-05-1", "champion"] in cells
    assert [line.partition(": ")[2].partition(" ")[0] for line in lines if line.startswith("to do")] == [
        "Correct",
        "Train",
        "Withdraw",
    ]
    assert len(lines) <= 30


def test_blame_as_json_names_every_partition(asked: Asked) -> None:
    told = json.loads(asked("blame", BAD, "--json"))

    assert told["rebuild"] == {"processed/returning": ["2026-01-05"]}
    assert told["replaced"]["features/spend"] == ["2026-01-03", "2026-01-04", "2026-01-05"]
    assert told["models"] == [{"model": MODEL, "version": "2026-01-05-1", "status": "champion"}]
    assert told["predictions"] == {"predictions/returning": {"days": ["2026-01-06"], "rows": 2, "replaced": 0}}
    assert len(told["to_do"]) == 3


def test_blame_of_what_nothing_came_of_says_so(asked: Asked) -> None:
    assert "Nothing came of it." in asked("blame", "predictions/returning@2026-01-08")


def test_blame_draws_a_picture_that_is_xml_with_a_box_a_table(asked: Asked, tmp_path: Path) -> None:
    path = tmp_path / "blame.svg"

    assert f"Drawn in {path}" in asked("blame", BAD, "--svg", f"{path}").replace("\n", "")

    drawn = ET.fromstring(path.read_text(encoding="utf-8"))  # noqa: S314 (our own file)
    space = "{http://www.w3.org/2000/svg}"
    titles = [title.text or "" for title in drawn.iter(f"{space}title")]
    assert f"{BAD}: 1 before" in titles
    assert "features/spend: 3 before" in titles
    assert "models/returning: 1 version" in titles
    width, height = (float(drawn.attrib[name]) for name in ("width", "height"))
    boxes = [box for box in drawn.iter(f"{space}rect") if box.get("stroke")]
    assert len(boxes) == 7
    for box in boxes:
        x, y, wide, high = (float(box.attrib[name]) for name in ("x", "y", "width", "height"))
        assert (x >= 0, y >= 0, x + wide <= width, y + high <= height) == (True, True, True, True)


def test_artifacts_are_printed_with_what_holds_now(asked: Asked) -> None:
    said = asked("lineage", "came-of", BAD)

    rows = [[cell.strip() for cell in line.strip("│").split("│")] for line in said.splitlines() if line.startswith("│")]
    assert [[table, day, now] for table, day, _, now in rows] == [
        ["raw/orders", "2026-01-03", "no"],
        ["interim/orders", "2026-01-03", "no"],
        ["features/spend", "2026-01-03", "no"],
        ["features/spend", "2026-01-04", "no"],
        ["features/spend", "2026-01-05", "no"],
        ["processed/returning", "2026-01-05", "yes"],
        ["models/returning", "2026-01-05-1", "yes"],
        ["predictions/returning", "2026-01-06", "yes"],
    ]


@pytest.mark.parametrize(
    ("question", "said"),
    [
        (("artifacts", "--type", "ModelVersion"), "2026-01-06-1"),
        (("artifacts", "--type", "Nothing"), "Nothing on record is like that."),
        (("back", "stg.orders@2026-01-03"), BAD),
        (("neighbours", "features/spend@2026-01-08"), "output"),
        (("context", "run", "corrected"), "interim/orders → features/spend (3)"),
        (("context", "model", MODEL), "2026-01-05-1 rolled_back: worse than thought"),
        (("compare", f"{MODEL}@2026-01-05-1", f"{MODEL}@2026-01-06-1"), "were made of different things"),
        (("has-run", "features/spend@2026-01-05"), "was made of just this, with this code"),
        (("has-run", "processed/returning@2026-01-05"), "was never made of what it would be made of now"),
    ],
)
def test_each_question_is_answered_in_words_and_as_json(asked: Asked, question: tuple[str, ...], said: str) -> None:
    assert said in asked("lineage", *question).replace("\n", " ")
    assert isinstance(json.loads(asked("lineage", *question, "--json")), dict)


def test_a_call_that_makes_no_sense_says_what_does(asked: Asked) -> None:
    assert "mlpipe lineage compare takes 2 names, not 1" in asked("lineage", "compare", "a", code=2)
    assert "'lake' is no kind of context. There are: run, model, tag." in asked(
        "lineage", "context", "lake", "x", code=2
    )
    with pytest.raises(SettingsError):
        commands.lineage(argparse.Namespace(question="back", names=[]))


def test_an_export_has_an_openlineage_event_for_each_step(asked: Asked, tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"

    assert asked("lineage", "export", "--openlineage", f"{path}").startswith("17 events in ")

    events = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    assert {event["eventType"] for event in events} == {"COMPLETE"}
    assert len({event["run"]["runId"] for event in events}) == 17
    corrected = events[10]
    assert (corrected["job"]["name"], [one["name"] for one in corrected["inputs"]]) == (
        "features/spend",
        ["interim/customers", "interim/orders"],
    )
    (made,) = corrected["outputs"]
    assert made["outputFacets"]["outputStatistics"]["rowCount"] == 6  # ann and bob on three days
    assert [one["name"] for one in made["facets"]["schema"]["fields"]] == ["customer_id", "as_of", "orders_3d", "age"]
    assert made["facets"]["columnLineage"]["fields"]["age"]["inputFields"] == [
        {"namespace": "mlpipe", "name": "interim/customers", "field": "age"}
    ]
    facets = [
        facet
        for event in events
        for side in ("inputs", "outputs")
        for one in event[side]
        for facet in (
            *one["facets"].values(),
            *one.get("inputFacets", {}).values(),
            *one.get("outputFacets", {}).values(),
        )
    ]
    assert all({"_producer", "_schemaURL"} <= {*facet} for facet in facets)
    assert "needs one place: --openlineage FILE" in asked("lineage", "export", code=2)
    assert "needs one place" in asked("lineage", "export", "--openlineage", f"{path}", "--jsonl", f"{path}", code=2)


def test_an_export_has_a_line_for_each_execution(asked: Asked, history: Lineage, tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"

    text = asked("lineage", "export", "--jsonl", f"{path}")

    lines = path.read_text(encoding="utf-8").splitlines()
    assert text.startswith(f"{len(lines)} lines in ")
    assert lines == history.log()


def test_sql_sees_what_is_on_record(history: Lineage) -> None:
    names, rows = query(
        history.lake,
        DuckDBEngine(),
        history.catalog,
        "select a.type, count(*) as n, count(*) filter (where a.is_held) as held from meta.artifacts a "
        "join meta.events e on e.artifact_id = a.id and e.type = 'OUTPUT' group by a.type order by a.type",
    )

    assert names == ["type", "n", "held"]
    assert rows == [
        ("CleanTable", 10, 9),
        ("Events", 9, 8),
        ("Features", 11, 8),
        ("ModelVersion", 2, 2),
        ("Predictions", 3, 3),
        ("TrainingSet", 2, 2),
    ]
    _, decided = query(
        history.lake,
        DuckDBEngine(),
        history.catalog,
        "select json_extract_string(x.properties, '$.action') as action, recorded_at from meta.executions x join meta.associations b on "
        "b.execution_id = x.id join meta.contexts c on c.id = b.context_id where c.type = 'Model' and x.type = 'decision' order by x.id",
    )
    assert [row[0] for row in decided] == ["promoted", "promoted", "rolled_back"]
