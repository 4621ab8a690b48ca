"""`mlpipe features`: what it lists, what it writes, and what it refuses."""

import json
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path

import polars as pl
import pytest
from rich.console import Console

from mlpipe_assets.catalog.contents import CATALOG
from mlpipe_assets.cli import main
from mlpipe_assets.rules import columns
from mlpipe_assets.serving.snapshots.selection import ViewDays
from mlpipe_assets.serving.snapshots.snapshot import Snapshot
from mlpipe_assets.stages.online.plan import store_of
from mlpipe_assets.store.lake import Lake
from mlpipe_assets_tests.feature_lake import write_days
from mlpipe_assets_tests.planted import day

_SPINE = "customer_id,event_timestamp,label\nC1,2026-01-02T00:00:00Z,1\nC2,2026-01-02T12:00:00Z,0\n"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data folder with one feature row of C1, and a spine beside it."""
    monkeypatch.setenv("MLPIPE_DATA_DIR", str(tmp_path / "data"))
    for name in ("raw", "meta/deliveries"):
        (tmp_path / "data" / name).mkdir(parents=True)
    (tmp_path / "spine.csv").write_text(_SPINE)
    names = [column.name for column in columns(CATALOG.feature_views[0].contract) if column.name != "as_of"]
    row = tuple("C1" if name == "customer_id" else "north" if name == "region" else 7 for name in names)
    write_days(Lake(data_dir=str(tmp_path / "data")), CATALOG, "customer_features", {day(1): [row]})
    return tmp_path


def test_rows_with_features_go_to_a_file(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    call = [
        "features",
        "--spine",
        f"{folder}/spine.csv",
        "--features",
        "customer_features:age,customer_features:region",
    ]

    assert main([*call, "--out", f"{folder}/out.parquet", "--statuses", "--no-as-of"]) == 0

    said = capsys.readouterr().out.splitlines()
    assert said[0].startswith(f"2 rows with 2 features in {folder}/out.parquet (0.")
    assert said[1:] == ["features/customer_features: as corrected since"]
    assert pl.read_parquet(folder / "out.parquet").rows() == [
        ("C1", "2026-01-02T00:00:00Z", 1, 7, "north", "PRESENT", "PRESENT"),
        ("C2", "2026-01-02T12:00:00Z", 0, None, None, "NOT_FOUND", "NOT_FOUND"),
    ]


def test_what_was_done_is_one_json_object_with_what_to_know_of_it(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "spine.csv").write_text(_SPINE.replace("-02T12", "-09T12"))

    out = folder / "out.csv"
    assert (
        main(
            [
                "features",
                "--spine",
                f"{folder}/spine.csv",
                "--features",
                "customer_features:age",
                "--out",
                f"{out}",
                "--json",
            ]
        )
        == 0
    )

    done = json.loads(capsys.readouterr().out)
    assert (done["rows"], done["readings"]) == (2, {"customer_features": "as corrected since"})
    assert done["notes"][0].startswith("features/customer_features ends with 2026-01-01")
    assert out.read_text().splitlines()[1] == "C1,2026-01-02T00:00:00Z,1,7,2026-01-02T00:00:00Z"


def test_the_list_says_of_each_feature_what_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["features", "--list"]) == 0
    shown = capsys.readouterr().out
    assert "customer_features of customer (customer_id), from orders, customers\n" in shown
    assert "  past days   as corrected since: a correction builds the days it touches again\n" in shown
    assert "  newest      2026-01-01, of 1 day; late since 2026-01-04 06:00 UTC\n" in shown
    assert "  used by     repeat_purchase, spend_28d, next_channel; joined by next_channel_features\n" in shown
    assert "  online      not published\n" in shown
    assert "  avg_order_value_30d     30 d  mean of amount; Float64 EUR or null: Revenue per order.\n" in shown
    assert "  tenure_days                   days since signup_date of customers; Int64 days or null: " in shown

    assert main(["features", "--list", "--json"]) == 0
    view, *_ = json.loads(capsys.readouterr().out)["views"]
    assert (view["join_keys"], view["newest"], view["ttl_hours"]) == (["customer_id"], "2026-01-01", None)
    assert view["features"][0] == {
        "name": "orders_7d",
        "type": "Int64",
        "unit": "",
        "nullable": False,
        "description": "Orders in 7 days.",
        "function": "count",
        "of": ["orders"],
        "window_days": 7,
        "where": None,
        "made": "count of orders",
    }


def test_the_list_fits_a_terminal_of_eighty_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    told = StringIO()
    monkeypatch.setattr(
        "mlpipe_assets.commands.features.make_console",
        lambda: Console(file=told, width=80, force_terminal=True, color_system=None, highlight=False, emoji=False),
    )

    assert main(["features", "--list"]) == 0

    lines = told.getvalue().splitlines()
    assert max(map(len, lines)) <= 80
    [start] = [number for number, line in enumerate(lines) if line.startswith("  avg_order_value_30d")]
    assert lines[start : start + 2] == [
        "  avg_order_value_30d     30 d  mean of amount; Float64 EUR or null: Revenue per",
        "                                order.",
    ]


def test_the_list_says_what_answers_online_and_goes_on_without_a_store(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    lake, view = Lake(data_dir=str(folder / "data")), CATALOG.feature_views[0]
    rows = ViewDays(lake=lake, catalog=CATALOG, view=view, now=datetime.now(tz=UTC)).rows()
    store_of(lake).publish(Snapshot(inputs="these", views=(rows,)))

    assert main(["features", "--list"]) == 0
    assert "  online      1 entity as of 2026-01-02T00:00Z\n" in capsys.readouterr().out

    monkeypatch.setenv("MLPIPE_ONLINE_URL", "redis://127.0.0.1:1/0")
    assert main(["features", "--list"]) == 0
    assert "  online      redis://127.0.0.1:1/0 does not do what was asked" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "mlpipe features needs --spine, --features, --out; or --list"),
        (["--spine", "spine.csv", "--features", "customer_features:age", "--out", "spine.csv"], "is the spine itself"),
        (["--spine", "spine.csv", "--features", "customer_features:aeg", "--out", "o.csv"], "Is 'age' meant?"),
        (["--spine", "none.csv", "--features", "customer_features:age", "--out", "o.csv"], "There is no spine"),
        (
            ["--spine", "spine.csv", "--features", "customer_features:age", "--out", "o.csv", "--event-time", "label"],
            "2 values of 2 cannot be read as a time",
        ),
    ],
)
def test_a_call_that_cannot_be_answered_leaves_no_file(
    arguments: list[str], said: str, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(folder)

    assert main(["features", *arguments]) == 2

    assert said in capsys.readouterr().err
    assert sorted(path.name for path in folder.iterdir()) == ["data", "spine.csv"]
    assert (folder / "spine.csv").read_text() == _SPINE
