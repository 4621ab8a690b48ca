"""The benchmark itself, small: what it measures is the same work, and the same work every time."""

import hashlib
import json
from collections import Counter
from dataclasses import asdict
from datetime import date
from pathlib import Path

import polars as pl
import pytest

from mlpipe_assets.gate import judge
from mlpipe_assets.store.lake import Lake
from mlpipe_assets_tests.benchmarks.__main__ import measure_all
from mlpipe_assets_tests.benchmarks.agreement import DisagreementError, hold_to_yardstick, read_truth
from mlpipe_assets_tests.benchmarks.child import ChildError
from mlpipe_assets_tests.benchmarks.late_rows import build, prepare
from mlpipe_assets_tests.benchmarks.mlpipe_run import run_mlpipe, stage_seconds
from mlpipe_assets_tests.benchmarks.pipeline import drop_files, environment_of, run_yardstick
from mlpipe_assets_tests.benchmarks.report import Measured
from mlpipe_assets_tests.benchmarks.tags import measure_tags
from mlpipe_assets_tests.benchmarks.validate import ArrivedOrders, arrived_orders, bare_rules, same
from mlpipe_assets_tests.benchmarks.workload import Truth, Workload, write_workload

SMALL = Workload(orders=20_000, customers=2_000, days=20)


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("workload")
    truth = write_workload(target, SMALL)
    document = {f"{day}": asdict(counts) for day, counts in truth.items()}
    (target / "truth.json").write_text(json.dumps(document), encoding="utf-8")
    return target


def digests(target: Path) -> dict[str, str]:
    return {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in (target / "raw").glob("*/*.csv")}


def test_the_same_arguments_give_the_same_bytes(written: Path, tmp_path: Path) -> None:
    write_workload(tmp_path, SMALL)

    assert digests(tmp_path) == digests(written)


def test_a_longer_workload_begins_with_the_files_of_the_shorter(written: Path, tmp_path: Path) -> None:
    write_workload(tmp_path, Workload(orders=20_000, customers=2_000, days=20, more_days=1))

    assert set(digests(tmp_path).items()) - set(digests(written).items()) == {
        (name, digest) for name, digest in digests(tmp_path).items() if name == "orders_2026-01-21.csv"
    }


def test_the_files_hold_the_defects_they_are_said_to_hold(written: Path) -> None:
    truth = read_truth(written)
    seen: Counter[str] = Counter()
    for day in SMALL.all_days:
        rows = pl.read_csv(written / "raw" / "orders" / f"orders_{day}.csv", infer_schema=False)
        broken = rows.filter(
            pl.any_horizontal(pl.col("order_id", "customer_id").is_null())
            | (pl.col("amount").cast(pl.Float64) < 0)
            | (pl.col("order_ts") == "not-a-timestamp")
        )
        sound = rows.join(broken, on=rows.columns, how="anti", nulls_equal=True)
        again = sound.filter(pl.col("order_ts").str.slice(0, 10) < f"{day}")
        twice = sound.height - sound.unique().height
        assert truth[day] == Truth(rows=rows.height, twice=twice, again=again.height, invalid=broken.height)
        seen += Counter(twice=twice, again=again.height, invalid=broken.height)
    assert seen["twice"] == pytest.approx(200, rel=0.3)
    assert seen["again"] == pytest.approx(50, rel=0.5)
    assert seen["invalid"] == pytest.approx(40, rel=0.5)


@pytest.mark.long
def test_pipeline_and_yardstick_agree(written: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLPIPE_SETTLE_SECONDS", "0")
    truth = read_truth(written)
    drop_files(written, tmp_path / "data", SMALL.all_days)

    bare = run_yardstick(written / "raw", tmp_path / "yardstick", SMALL.all_days[-1])
    ours = run_mlpipe(environment_of(tmp_path))
    agreed = hold_to_yardstick(tmp_path / "data", tmp_path / "yardstick", truth, SMALL.all_days)

    assert agreed["orders"] == sum(counts.clean for counts in truth.values())
    assert agreed["feature_rows"] > SMALL.customers
    assert bare["seconds"] > 0
    assert stage_seconds(ours.output).keys() >= {"raw/orders", "interim/orders", "features/customer_features"}
    wrong = truth | {date(2026, 1, 1): Truth(rows=0, twice=0, again=0, invalid=0)}
    with pytest.raises(DisagreementError, match="in the files"):
        hold_to_yardstick(tmp_path / "data", tmp_path / "yardstick", wrong, SMALL.all_days)


def test_the_view_is_built_in_both_ways_over_the_same_files(written: Path, tmp_path: Path) -> None:
    days = SMALL.all_days[:3]
    drop_files(written, tmp_path, days)
    lake = Lake(data_dir=f"{tmp_path}")
    prepare(lake)

    known, corrected = build(lake, "as_known", days), build(lake, "correct", days)

    assert known["rows"] == corrected["rows"] > SMALL.customers
    assert known["seconds"] > 0


def test_gate_and_bare_rules_find_the_same_rows(written: Path) -> None:
    frame = arrived_orders(written / "raw")

    verdict, (counts, bad) = judge(frame, ArrivedOrders), bare_rules(frame)

    assert same(verdict, counts, bad)
    assert counts["order_id_unique"] > counts["amount"] > 0


def test_stage_seconds_are_read_off_the_summary() -> None:
    printed = """
┃ table       ┃ partitions ┃ built now ┃ seconds ┃
│ raw/orders  │         90 │        90 │ 1,002.9 │
│ raw/planes  │          1 │         0 │         │
"""

    assert stage_seconds(printed) == {"raw/orders": 1002.9}


@pytest.mark.slow
def test_tags_are_measured_on_what_they_do(tmp_path: Path) -> None:
    found = measure_tags(tmp_path, 2)

    assert [line.met for line in found.lines[1:3]] == [True, True]  # it writes its text alone; it touches three days


def test_a_part_that_cannot_be_measured_is_named_and_the_others_count() -> None:
    def broken() -> Measured:
        raise ChildError("redis-server ended with 1")

    tags = Measured(lines=(), numbers={"tags": 10})

    assert measure_all({"serving": broken, "tags": lambda: tags}) == ([tags], ["serving"])
