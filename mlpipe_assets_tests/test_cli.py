"""The `mlpipe` command: what it prints, and its exit codes; 1 is data, 2 is usage."""

import argparse
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from contextlib import redirect_stdout
from datetime import date
from io import StringIO
from pathlib import Path

import polars as pl
import pytest

from mlpipe_assets.arguments import make_parser
from mlpipe_assets.catalog.declarations import Catalog
from mlpipe_assets.catalog.sources import customers
from mlpipe_assets.cli import main
from mlpipe_assets.settings import PROJECT_ROOT
from mlpipe_assets.store import keys
from mlpipe_assets.store import lake as lake_module
from mlpipe_assets.store.lake import Lake
from mlpipe_assets_tests.dagster_homes import quiet_home
from mlpipe_assets_tests.lake_copies import copy_lake
from mlpipe_assets_tests.planted import ANN, START, day, drop_customers, drop_orders, one_a_day

pytestmark = pytest.mark.slow
ONLY_CUSTOMERS = Catalog(sources=(customers,))


@pytest.fixture
def lake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lake:
    """An empty lake that the command is pointed at, and a home for Dagster."""
    monkeypatch.setenv("DAGSTER_HOME", str(quiet_home(tmp_path)))
    monkeypatch.setenv("MLPIPE_DATA_DIR", str(tmp_path / "data"))
    (tmp_path / "data" / "raw").mkdir(parents=True, exist_ok=True)
    return Lake(data_dir=str(tmp_path / "data"))


def drop_days(lake: Lake, first: int, last: int) -> None:
    for n in range(first, last + 1):
        drop_orders(lake, f"orders_{day(n)}.csv", one_a_day(n, n, ("ann", "bob")))
    drop_customers(lake, f"customers_{START}.csv", ANN)


class FirstRun:
    """A lake with some files and what its first run said, made once for the tests that go on from there."""

    def __init__(self, root: Path, drop: Callable[[Lake], None]) -> None:
        (root / "data" / "raw").mkdir(parents=True)
        self.lake, self.home = Lake(data_dir=str(root / "data")), quiet_home(root)
        drop(self.lake)
        variables = {
            "MLPIPE_DATA_DIR": self.lake.data_dir,
            "DAGSTER_HOME": str(self.home),
            "MLPIPE_SETTLE_SECONDS": "0",
        }
        with pytest.MonkeyPatch.context() as patch, redirect_stdout(StringIO()) as told:
            for name, value in variables.items():
                patch.setenv(name, value)
            self.code = main(["run"])
        self.told = told.getvalue()

    def copy(self, lake: Lake) -> Lake:
        """The lake and Dagster's home once more, where the command is pointed at."""
        shutil.rmtree(lake.root)
        shutil.copytree(self.home, lake.root.parent / "home", dirs_exist_ok=True)
        return copy_lake(self.lake, lake.root)


@pytest.fixture(scope="module")
def first_run(tmp_path_factory: pytest.TempPathFactory) -> FirstRun:
    """Of three days of files."""
    return FirstRun(tmp_path_factory.mktemp("first"), lambda lake: drop_days(lake, 1, 3))


@pytest.fixture
def three_days(first_run: FirstRun, lake: Lake) -> Lake:
    """A copy of the lake of three days, up to date."""
    return first_run.copy(lake)


def drop_refused(lake: Lake) -> None:
    drop_days(lake, 1, 3)
    drop_orders(lake, f"orders_{day(2)}.csv", [(f"x{i}", "ann", day(2), "-1.00", "web") for i in range(30)])


@pytest.fixture(scope="module")
def refused_run(tmp_path_factory: pytest.TempPathFactory) -> FirstRun:
    """Of three days of files, the second of which is refused."""
    return FirstRun(tmp_path_factory.mktemp("refused"), drop_refused)


def drop_oddly_named(lake: Lake) -> None:
    drop_days(lake, 1, 1)
    drop_orders(lake, "tx_99991231_final.csv", [("o9", "ann", day(1), "1.00", "web")])
    drop_orders(lake, "orders_2025-12-20.csv", [("o8", "ann", date(2025, 12, 20), "1.00", "web")])
    drop_customers(lake, "customers_2025-12-20.csv", [("ann", 30, "north", date(2025, 12, 1))])


@pytest.fixture(scope="module")
def oddly_named_run(tmp_path_factory: pytest.TempPathFactory) -> FirstRun:
    """Of files some of which are not taken at the date in their name."""
    return FirstRun(tmp_path_factory.mktemp("named"), drop_oddly_named)


@pytest.mark.usefixtures("three_days")
def test_run_status_and_sql_tell_the_story_of_a_lake(first_run: FirstRun, capsys: pytest.CaptureFixture[str]) -> None:
    code, told = first_run.code, first_run.told
    assert code == 0
    assert "raw/orders: 6 rows read from 3 new files\n" in told
    assert "raw/customers: 1 row read from 1 new file\n" in told
    assert "interim/orders" in told
    assert "features/customer_features: 2026-01-01 to 2026-01-03" in told
    assert "6 rows of features answer online: mlpipe serve\n" in told.replace(".venv/bin/", "")
    assert "Next:" in told

    assert main(["run"]) == 0
    again = capsys.readouterr().out
    assert "up to date" in again.lower() or "Nothing new to build" in again

    assert main(["status"]) == 0
    assert "features/customer_features" in capsys.readouterr().out

    assert main(["status", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    partitions = [p for p in document["partitions"] if p["table"] == "interim/orders"]
    assert [p["date"] for p in partitions] == ["2026-01-01", "2026-01-02", "2026-01-03"]
    assert {(p["received"], p["accepted"], p["duplicates"], p["quarantined"]) for p in partitions} == {(2, 2, 0, 0)}
    assert all(len(p["digest"]) == 64 and p["as_of"].endswith("T00:00:00+00:00") for p in partitions)
    assert document["behind"] == {}

    assert (
        main(
            [
                "sql",
                "select customer_id, orders_7d from feats.customer_features where date = '2026-01-03' order by 1",
                "--json",
            ]
        )
        == 0
    )
    assert json.loads(capsys.readouterr().out) == [
        {"customer_id": "ann", "orders_7d": 3},
        {"customer_id": "bob", "orders_7d": 3},
    ]

    assert main(["sql", "select '[bold]' as odd, null as nothing"]) == 0
    assert "[bold]" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("query", "row"),
    [
        ("select 1 as a, 2 as a, 3 as a_1, 4 as a", {"a": 1, "a_2": 2, "a_1": 3, "a_3": 4}),
        (
            "select 'nan'::double as n, '-inf'::float as i, ['nan'::double, 1] as l",
            {"n": None, "i": None, "l": [None, 1.0]},
        ),
        ("select interval '1 month 1 day' as i, '\\xaaB'::blob as b", {"i": "1 month 1 day", "b": "\\xAAB"}),
        ("select {'BLOB': ['\\xaa'::blob], 'n': 1} as s, 2 as t", {"s": {"BLOB": ["\\xAA"], "n": 1}, "t": 2}),
        ("select map {date '2026-01-01': 1} as m", {"m": {"2026-01-01": 1}}),
    ],
)
def test_what_sql_prints_as_json_is_json_and_loses_no_column(
    lake: Lake, query: str, row: object, capsys: pytest.CaptureFixture[str]
) -> None:
    assert lake.is_new

    assert main(["sql", "--json", query]) == 0

    assert json.loads(capsys.readouterr().out, parse_constant=pytest.fail) == [row]


def test_status_leaves_a_damaged_partition_to_the_next_run_and_says_so_once(
    three_days: Lake, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    three_days.path("interim", "orders", date(2026, 1, 2)).write_bytes(b"")
    caplog.clear()

    assert main(["status"]) == 0
    assert main(["status"]) == 0

    assert [m.rpartition("; ")[2] for m in caplog.messages if "bytes" in m] == ["the next run builds it again"]
    assert "it is built again" not in capsys.readouterr().out


@pytest.mark.parametrize("command", [["run"], ["status"], ["sql", "select 1"]])
def test_no_command_takes_a_lake_that_lost_its_records_for_a_new_one(
    lake: Lake, command: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    lake.commit(lake.stage(lake.path("interim", "orders", day(1)), pl.DataFrame({"n": [1]}), {}))

    assert main(command) == 1

    assert "deliveries is gone, and there are partitions of interim/orders." in capsys.readouterr().err


def test_sql_says_beside_its_answer_which_days_it_is_without(lake: Lake, capsys: pytest.CaptureFixture[str]) -> None:
    for n in (1, 3):
        lake.commit(lake.stage(lake.path("interim", "orders", day(n)), pl.DataFrame({"n": [n]}), {}))
    lake.objects.put(f"{keys.DELIVERIES}/orders/none", b"")

    assert main(["sql", "--json", "select n from stg.orders order by n"]) == 0

    answer, note = capsys.readouterr()
    assert json.loads(answer) == [{"n": 1}, {"n": 3}]
    assert note.startswith("note: stg.orders has no 2026-01-02: `mlpipe status` says why.")
    assert main(["sql", "--quiet", "select n from stg.orders"]) == 0
    assert capsys.readouterr().err == ""


def test_one_new_file_is_not_several(lake: Lake, capsys: pytest.CaptureFixture[str]) -> None:
    drop_customers(lake, f"customers_{START}.csv", ANN)

    assert main(["status"]) == 0

    assert "1 new file in " in capsys.readouterr().out


def test_sql_prints_no_value_as_python_spells_it(lake: Lake, capsys: pytest.CaptureFixture[str]) -> None:
    assert lake.is_new

    assert main(["sql", "select interval 1 day as i, '\\xaa'::blob as b, [date '2026-01-05', null] as d"]) == 0

    told = capsys.readouterr().out
    assert "1 day" in told
    assert "\\xAA" in told
    assert "0:00:00" not in told
    assert '["2026-01-05", null]' in told


def test_a_refused_day_is_exit_1_until_it_is_accepted(
    refused_run: FirstRun, lake: Lake, capsys: pytest.CaptureFixture[str]
) -> None:
    refused_run.copy(lake)
    assert refused_run.code == 1
    assert "30 of 30 rows refused, 20 tolerated" in refused_run.told
    assert main(["run"]) == 1

    assert main(["accept", "orders", "2026-01-02", "--reason", "the till [east] was broken"]) == 0
    assert "Accepted orders 2026-01-02: the till [east] was broken" in capsys.readouterr().out
    assert main(["run"]) == 0
    capsys.readouterr()
    assert main(["status"]) == 0
    assert "interim/orders 2026-01-02: accepted: the till [east] was broken" in capsys.readouterr().out
    assert main(["accept", "interim/orders", "2026-01-02..2026-01-04", "--reason", "for good measure"]) == 0
    told = capsys.readouterr().out
    assert "Accepted orders 2026-01-04: for good measure" in told
    assert "orders 2026-01-02 to 2026-01-03: was not refused, so there is nothing to accept" in told


def test_run_warns_of_a_snapshot_that_lost_more_than_half_of_its_keys(
    lake: Lake, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLPIPE_CATALOG", f"{__name__}:ONLY_CUSTOMERS")
    people = [(who, 30, "north", START) for who in ("ann", "bob", "cy", "dee", "eve")]
    drop_customers(lake, f"customers_{day(1)}.csv", people)
    assert main(["run"]) == 0
    assert "keys of the snapshot before" not in capsys.readouterr().out

    drop_customers(lake, f"customers_{day(2)}.csv", people[:2])
    assert main(["run"]) == 0
    told = " ".join(capsys.readouterr().out.split())
    before, after = f"customers_{day(1)}.csv", f"customers_{day(2)}.csv"
    start = f"warning: interim/customers [{day(2)}] "
    assert f"{start}3 of the 5 keys of the snapshot before, {before}, are not in {after}." in told

    drop_customers(lake, after, [("eve", 30, "north", START)])
    assert main(["run"]) == 0
    told = " ".join(capsys.readouterr().out.split())
    assert (
        f"{start}2 of the 2 keys of the snapshot before, {after}, are not in {after}, which has the same name." in told
    )


def test_run_warns_of_each_new_file_that_is_not_taken_at_the_date_in_its_name(
    oddly_named_run: FirstRun, lake: Lake, capsys: pytest.CaptureFixture[str]
) -> None:
    oddly_named_run.copy(lake)
    assert oddly_named_run.code == 0
    told = " ".join(oddly_named_run.told.split())
    assert "warning: raw/orders: 1 file is not taken at the date in the name: tx_99991231_final.csv (known " in told
    assert "by its modification time; the date 9999-12-31 in its name is not plausible" in told
    assert (
        "warning: raw/customers: 1 file is not taken at the date in the name: customers_2025-12-20.csv (known "
        "2025-12-20T23:59:59Z by its date in the name; before 2026-01-01 (MLPIPE_START_DATE), so the table holds from that day "
        "on). If that is wrong, deliver under a name with the right date"
    ) in told

    assert main(["run"]) == 0
    assert "not taken at the date" not in capsys.readouterr().out


def test_status_says_which_date_of_a_name_was_not_taken_and_in_json_why_each_file_was_known_when(
    oddly_named_run: FirstRun, lake: Lake, capsys: pytest.CaptureFixture[str]
) -> None:
    oddly_named_run.copy(lake)

    assert main(["status"]) == 0
    told = " ".join(capsys.readouterr().out.split())
    assert "raw/orders/tx_99991231_final.csv: known" in told
    assert "by its modification time: the date 9999-12-31 in its name is not plausible" in told
    assert f"orders_{day(1)}.csv: known" not in told
    assert main(["status", "--json"]) == 0
    arrived = {a["file"]: a for a in json.loads(capsys.readouterr().out)["deliveries"] if a["table"] == "raw/orders"}
    assert {name: a["known_by"] for name, a in arrived.items()} == {
        f"orders_{day(1)}.csv": "date in the name",
        "orders_2025-12-20.csv": "date in the name",
        "tx_99991231_final.csv": "modification time",
    }


def test_status_says_what_an_alert_says_and_ends_with_1_when_it_is_asked_to(
    refused_run: FirstRun, lake: Lake, capsys: pytest.CaptureFixture[str]
) -> None:
    refused_run.copy(lake)
    (lake.root / "raw" / "orders" / "notes.pdf").write_text("no orders")
    main(["run"])
    capsys.readouterr()

    assert (main(["status"]), main(["status", "--check"])) == (0, 1)
    shown = capsys.readouterr().out
    main(["status", "--json"])
    attention = json.loads(capsys.readouterr().out)["attention"]

    assert [(a["scope"], a["where"], a["what"]) for a in attention][:2] == [
        ("files", "raw/orders/notes.pdf", "lies in the drop zone and is not read"),
        ("checks", "interim/orders", "check contract_holds failed"),
    ]
    assert "freshness" in {a["scope"] for a in attention}  # nothing has come since January
    alerts = [json.loads(line) for line in (lake.root / "meta" / "alerts.jsonl").read_text().splitlines()]
    assert {key for alert in alerts for key in alert["keys"]} <= {a["key"] for a in attention}
    assert all(a["since"] and a["to_do"] in shown for a in attention)


def test_an_empty_lake_says_where_files_go(lake: Lake, capsys: pytest.CaptureFixture[str]) -> None:
    for command in (["run"], ["status"]):
        assert main(command) == 0
        assert "mlpipe sample" in capsys.readouterr().out, command
    assert main(["status", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["partitions"] == []


@pytest.mark.parametrize("command", [["status"], ["sql", "select 1"], ["run"], ["run", "--sample", "0.1"], ["sample"]])
def test_a_file_where_a_folder_belongs_is_exit_1_with_one_sentence(
    command: list[str], lake: Lake, capsys: pytest.CaptureFixture[str]
) -> None:
    (lake.root / "interim").write_text("")

    assert main(command) == 1
    said = f"error: {lake.root / 'interim'} is a file where a folder belongs. Move it away, then run again."
    assert capsys.readouterr().err.splitlines()[0] == said


def test_a_file_that_the_data_folder_would_lie_in_is_exit_2(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "disk").write_text("")
    monkeypatch.setenv("MLPIPE_DATA_DIR", str(tmp_path / "disk" / "data"))

    assert main(["status"]) == 2
    assert f"error: {tmp_path / 'disk'} is not a folder, and MLPIPE_DATA_DIR leads to it." in capsys.readouterr().err


def test_a_run_in_the_way_of_another_is_exit_75_and_needs_nobody(
    three_days: Lake, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lake_module, "PATIENCE", 0.1)

    with three_days.writing("catch_up", "interim.orders"):
        assert main(["run"]) == 75
        told = capsys.readouterr()
        assert "busy: interim/orders: another `mlpipe run` is building this table" in " ".join(told.out.split())
        assert "error" not in told.out + told.err
        assert main(["run", "--json"]) == 75
        document = json.loads(capsys.readouterr().out)
        assert (document["errors"], len(document["busy"])) == ([], 1)
    assert main(["run"]) == 0


@pytest.mark.parametrize("more", [[], ["--dry-run"]])
def test_an_executor_that_is_none_is_refused(
    lake: Lake, more: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLPIPE_EXECUTOR", "thread")

    assert main(["run", *more]) == 2

    assert "MLPIPE_EXECUTOR begins with 'thread'" in capsys.readouterr().err
    assert [path for path in lake.root.rglob("*") if path.is_file()] == []


def test_an_undeclared_folder_is_exit_1_and_named(three_days: Lake, capsys: pytest.CaptureFixture[str]) -> None:
    (three_days.root / "raw" / "payments").mkdir()

    assert main(["run"]) == 1
    assert "raw/payments/: no source of that name is declared" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["sql", "select * from nowhere"], "nowhere"),
        (["sql", "selec 1"], "selec"),
        (["sql", ""], "query"),
        (["sql", "select 1; select 2"], "There are 2 statements; mlpipe sql answers one"),
        (["sql", "copy (select 1) to 'meta/acceptances.jsonl'"], "This is a statement to copy; mlpipe sql only reads"),
        (["sql", "explain analyze copy (select 1) to 'rows.csv'"], "This is a statement to explain"),
        (["accept", "payments", "2026-01-02", "--reason", "x"], "No source 'payments'; there are orders, customers"),
        (["accept", "orders", "2026-01-32", "--reason", "x"], "'2026-01-32' is not a day"),
        (["accept", "orders", "2026-01-09..2026-01-05", "--reason", "x"], "the last lies before the first"),
        (["accept", "orders", "2025-12-31", "--reason", "x"], "does not exist; partitions run from 2026-01-01"),
        (["accept", "orders", "2026-01-02", "--reason", " "], "--reason is empty"),
        (["run", "--from", "2026-01-09", "--to", "2026-01-05"], "No day lies between"),
        (["run", "--from", "2999-01-01"], "No day lies between"),
        (["sample", "--days", "0"], "--days is 0; it takes at least 1"),
        (["sample", "--days", "99999999"], "--days is 99,999,999; it takes at most 3,660"),
        (["sample", "--seed", "-3"], "--seed is -3; it takes at least 0"),
        (["accept", "orders", "2026-01-05..", "--reason", "x"], "'2026-01-05..' is not a day"),
    ],
)
def test_a_wrong_call_is_exit_2_with_one_message(
    arguments: list[str], said: str, lake: Lake, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2

    told = capsys.readouterr()
    assert said in told.err
    assert "Traceback" not in told.out + told.err
    assert not (lake.root / "meta" / "acceptances.jsonl").exists()


@pytest.mark.parametrize(
    "arguments",
    [["run", "--from", "yesterday"], ["run", "--sample", "some"], ["nonsense"], [], ["accept", "orders", "2026-01-01"]],
)
def test_a_call_that_does_not_parse_is_exit_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(arguments)

    assert stopped.value.code == 2
    assert "usage: mlpipe" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("MLPIPE_MEMORY_LIMIT", "lots", "MLPIPE_MEMORY_LIMIT='lots' is not an amount of memory"),
        ("MLPIPE_MEMORY_LIMIT", "0GB", "MLPIPE_MEMORY_LIMIT='0GB' is not an amount of memory"),
        ("MLPIPE_MEMORY_LIMIT", "5KMB", "MLPIPE_MEMORY_LIMIT='5KMB' is not an amount of memory"),
        ("MLPIPE_CATALOG", "no.such.module:CATALOG", "MLPIPE_CATALOG='no.such.module:CATALOG'"),
        ("MLPIPE_CATALOG", "json:dumps", "is a function, not a Catalog"),
        ("MLPIPE_CATALOG", "", ""),
        ("MLPIPE_CATALOG", ":", "MLPIPE_CATALOG=':'"),
        ("MLPIPE_SETTLE_SECONDS", "nan", "MLPIPE_SETTLE_SECONDS='nan' is not a number of seconds"),
        ("MLPIPE_UI_URL", "http://me:secret@host:3000", "MLPIPE_UI_URL is not an address of the web"),
        ("MLPIPE_ENVIRONMENT", "x" * 41, "is no name"),
        ("MLPIPE_START_DATE", "01.02.2026", "MLPIPE_START_DATE='01.02.2026' is not a date"),
    ],
)
def test_a_wrong_environment_is_exit_2_and_names_the_variable(
    name: str, value: str, said: str, lake: Lake, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(name, value)

    code = main(["sql", "select 1 as one"])

    assert (code, said in capsys.readouterr().err) == (2 if said else 0, True)


def test_a_dagster_home_that_is_no_folder_is_exit_2(
    lake: Lake, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    drop_days(lake, 1, 1)
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "nowhere"))

    assert main(["run"]) == 2
    assert "is not a folder. Make it, or unset it." in capsys.readouterr().err


def test_a_data_folder_that_is_a_file_is_exit_2(
    lake: Lake, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("MLPIPE_DATA_DIR", str(tmp_path / "file"))

    assert main(["sample", "--days", "1"]) == 2
    assert "Traceback" not in capsys.readouterr().err


def test_the_sample_is_written_where_the_environment_says(lake: Lake, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sample", "--days", "2", "--orders-per-day", "3", "--customers", "4"]) == 0

    assert sorted(p.name for p in (lake.root / "raw").iterdir()) == ["customers", "orders"]
    assert "mlpipe run" in capsys.readouterr().out


def mlpipe(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """The command as a process of its own, with nothing of our environment but what it needs."""
    env = {"PATH": "/usr/bin:/bin", "HOME": "/tmp", **environment}
    return subprocess.run(
        [sys.executable, "-m", "mlpipe_assets.cli", *arguments],
        cwd=PROJECT_ROOT,
        env=env,
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_command_as_a_user_types_it(tmp_path: Path) -> None:
    home = quiet_home(tmp_path)
    lake = Lake(data_dir=str(tmp_path / "data"))
    drop_days(lake, 5, 6)
    env = {"MLPIPE_DATA_DIR": str(lake.root), "DAGSTER_HOME": str(home), "MLPIPE_SETTLE_SECONDS": "0"}

    done = mlpipe("run", MLPIPE_START_DATE="2026-01-06", **env)
    wrong = mlpipe("run", MLPIPE_START_DATE="soon", **env)

    assert (done.returncode, done.stderr) == (0, "")
    assert lake.days("interim", "orders") == [day(6)]
    assert wrong.returncode == 2
    assert wrong.stderr == "error: MLPIPE_START_DATE='soon' is not a date. Write it as 2026-01-31.\n"


def test_a_dry_run_names_what_would_be_done_and_changes_nothing(lake: Lake, capsys: pytest.CaptureFixture[str]) -> None:
    drop_days(lake, 1, 3)
    before = sorted(lake.root.rglob("*"))

    assert main(["run", "--dry-run", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["new_files"]["orders"] == [f"orders_{day(n)}.csv" for n in (1, 2, 3)]
    assert document["behind"] == {}

    assert main(["run", "--dry-run"]) == 0
    assert "3 new files, such as orders_2026-01-01.csv" in capsys.readouterr().out
    assert sorted(lake.root.rglob("*")) == before

    assert main(["run", "--quiet", "--to", f"{day(2)}"]) == 0
    assert capsys.readouterr() == ("", "")
    assert main(["run", "--dry-run", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["behind"]["interim/orders"] == ["2026-01-03"]
    assert lake.days("features", "customer_features") == [day(1), day(2)]


def test_a_run_as_json_has_a_line_a_table(lake: Lake, capsys: pytest.CaptureFixture[str]) -> None:
    drop_days(lake, 1, 2)

    assert main(["run", "--json"]) == 0

    document = json.loads(capsys.readouterr().out)
    (table,) = [t for t in document["tables"] if t["table"] == "interim/orders"]
    assert {name: table[name] for name in ("partitions", "built_now", "rows", "quarantined", "duplicates")} == {
        "partitions": 2,
        "built_now": 2,
        "rows": 4,
        "quarantined": 0,
        "duplicates": 0,
    }
    [online] = [t for t in document["tables"] if t["table"] == "online/features"]
    assert (online["partitions"], online["built_now"], online["rows"]) == (1, 1, 6)
    assert document["errors"] == []
    assert all(t["built_now"] <= t["partitions"] for t in document["tables"])


def test_after_a_sample_the_hint_asks_the_samples_data(lake: Lake, capsys: pytest.CaptureFixture[str]) -> None:
    drop_days(lake, 1, 2)

    assert main(["run", "--sample", "1"]) == 0

    told = capsys.readouterr().out
    assert f"MLPIPE_DATA_DIR={lake.root / 'prototype'} " in told.partition("Next: ")[2]
    assert "which is 2 entities: 5 of 5 rows received" in told


def test_every_option_and_argument_has_a_help(capsys: pytest.CaptureFixture[str]) -> None:
    parsers = [make_parser()]
    for action in parsers[0]._actions:
        if isinstance(action, argparse._SubParsersAction):
            parsers += action.choices.values()

    assert len(parsers) > 8
    silent = [(p.prog, action.dest) for p in parsers for action in p._actions if not (action.help or action.choices)]
    assert silent == []

    for shell in ("bash", "zsh", "fish"):
        assert main(["completion", shell]) == 0
        script = capsys.readouterr().out
        assert "explain-prediction" in script
        assert "--dry-run" in script


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash")
def test_bash_completes_a_command_and_its_options(capsys: pytest.CaptureFixture[str]) -> None:
    main(["completion", "bash"])
    script = capsys.readouterr().out

    def completed(*words: str) -> list[str]:
        ask = f'COMP_WORDS=({" ".join(words)}); COMP_CWORD={len(words) - 1}; _mlpipe; echo "${{COMPREPLY[@]}}"'
        return subprocess.run(
            ["bash", "-c", f"{script}\n{ask}"], capture_output=True, text=True, check=True
        ).stdout.split()

    assert completed("mlpipe", "ro") == ["rollback"]
    assert completed("mlpipe", "run", "--d") == ["--dry-run"]
    assert completed("mlpipe", "completion", "z") == ["zsh"]


def test_the_version_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        main(["--version"])

    assert left.value.code == 0
    assert re.fullmatch(r"mlpipe \d+\.\d+\.\d+\n", capsys.readouterr().out)


def test_a_name_with_a_line_feed_and_escapes_forges_no_line(
    three_days: Lake, capsys: pytest.CaptureFixture[str]
) -> None:
    (three_days.root / "raw" / "orders" / "a\nerror: all is lost\x1b[2J\u202e.pdf").write_bytes(b"%PDF")

    main(["run"])
    told = capsys.readouterr().out
    main(["status"])
    told += capsys.readouterr().out

    assert r"a\nerror: all is lost\x1b[2J\u202e.pdf" in told
    assert "\x1b" not in told
    assert not re.search(r"^error: all is lost", told, re.MULTILINE)
    alerts = (three_days.root / "meta" / "alerts.jsonl").read_text()
    assert "\\u001b" not in alerts
    assert "\u202e" not in alerts


def test_a_catalog_that_does_not_hold_together_is_exit_2_with_its_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "their_catalog.py").write_text("a = 1\nb = timedelta(days=1)\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setenv("MLPIPE_CATALOG", "their_catalog:CATALOG")

    assert main(["status"]) == 2
    assert capsys.readouterr().err == (
        "error: The catalog does not hold together: their_catalog.py:2: NameError: name 'timedelta' is not defined\n"
    )


def test_lost_events_are_one_problem_with_one_advice_wherever_it_is_read(
    three_days: Lake, capsys: pytest.CaptureFixture[str]
) -> None:
    (three_days.root / "raw" / "orders" / f"orders_{day(2)}.csv").unlink()
    [events] = (three_days.root / "raw" / "_events" / "orders" / f"date={day(2)}").glob("*.parquet")
    events.write_bytes(b"")
    drop_orders(three_days, f"orders_{day(4)}.csv", [("late", "ann", day(2), "1", "web")])
    cure = (
        f"Put orders_{day(2)}.csv with that content back into raw/orders and run again, or restore raw/_events/orders"
    )
    capsys.readouterr()

    assert main(["run"]) == 1
    assert cure in capsys.readouterr().out
    assert main(["verify"]) == 1
    assert cure in capsys.readouterr().out
    assert main(["accept", "orders", f"{day(2)}", "--reason", "no idea"]) == 1
    assert cure in capsys.readouterr().err
    assert main(["status", "--json", "--check"]) == 1
    document = json.loads(capsys.readouterr().out)
    [problem] = [p for p in document["attention"] if p["scope"] != "freshness"]  # the days are of last winter
    assert (problem["scope"], problem["where"]) == ("files", f"raw/orders/orders_{day(2)}.csv")
    assert problem["to_do"].startswith(cure)
    assert main(["status"]) == 0
    told = capsys.readouterr().out
    assert "deliver it again under the same name" not in told
    assert "mend the cause" not in told
