"""Training sets: labels by hand, splits on record, and what keeps one from being written."""

from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from mlpipe_assets.catalog.contents import CATALOG
from mlpipe_assets.catalog.declarations import Catalog
from mlpipe_assets.catalog.models import repeat_purchase
from mlpipe_assets.catalog.versions import view_version
from mlpipe_assets.engines.duckdb_engine import DuckDBEngine
from mlpipe_assets.partitions import days_between
from mlpipe_assets.stages.features.asset import build_features
from mlpipe_assets.stages.processed.asset import training_asset
from mlpipe_assets.stages.processed.plan import inputs_digest
from mlpipe_assets.store.lake import Lake
from mlpipe_assets.training.plan import plan_training_set
from mlpipe_assets.transforms.splits import SPLITS
from mlpipe_assets_tests.frames import build_training_set
from mlpipe_assets_tests.lake_copies import copy_lake
from mlpipe_assets_tests.planted import (
    RETURNING_SQL,
    SPEND_SQL,
    Order,
    bring_in,
    day,
    drop_orders,
    materialize,
    one_a_day,
    planted_catalog,
    planted_lake,
)

SQL = CATALOG.read_sql(repeat_purchase.sql)


def labels(ordered_on: list[int], features_of: int = 10, horizon: int = 28) -> list[bool]:
    """Labels of a customer described on one day, by the days they order on."""
    names = [
        name for name in repeat_purchase.contract.to_schema().columns if name not in ("customer_id", "as_of", "label")
    ]
    features = pl.DataFrame(
        {
            "customer_id": ["ann"],
            "date": [day(features_of)],
            "as_of": [datetime(2026, 1, features_of + 1, tzinfo=UTC)],
            **{name: [None] for name in names},
        }
    )
    orders = pl.DataFrame(
        {"customer_id": ["ann"] * len(ordered_on) + ["bob"], "date": [*map(day, ordered_on), day(features_of + 1)]}
    )
    frame = DuckDBEngine().select(SQL, {"features": features, "orders": orders}, {"horizon": horizon})
    assert frame.columns == list(repeat_purchase.contract.to_schema().columns)
    return frame["label"].to_list()


@pytest.mark.parametrize(
    ("ordered_on", "label"),
    [([], False), ([10], False), ([11], True), ([38], True), ([39], False), ([9, 10, 39, 60], False), ([11, 38], True)],
)
def test_a_label_looks_from_the_day_after_to_the_end_of_the_horizon(ordered_on: list[int], *, label: bool) -> None:
    assert labels(ordered_on) == [label]


def test_no_features_give_no_labels() -> None:
    names = list(repeat_purchase.contract.to_schema().columns)[:-1]
    features = pl.DataFrame({name: pl.Series([], dtype=pl.String) for name in names}).with_columns(
        date=pl.Series([], dtype=pl.Date)
    )
    orders = pl.DataFrame({"customer_id": ["ann"], "date": [day(1)]})

    assert DuckDBEngine().select(SQL, {"features": features, "orders": orders}, {"horizon": 28}).is_empty()


@pytest.fixture(scope="module")
def nine_days(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """The lake of nine days that most training sets here are made of."""
    return training_lake(tmp_path_factory.mktemp("nine_days"), 9)[1]


@pytest.fixture
def lake(nine_days: Lake, tmp_path: Path) -> Lake:
    """A copy of it."""
    return copy_lake(nine_days, tmp_path / "data")


@pytest.fixture
def catalog(tmp_path: Path) -> Catalog:
    """Orders, customers, spend and returning."""
    return planted_catalog(tmp_path / "sql")


def training_lake(tmp_path: Path, last: int, orders: list[Order] | None = None) -> tuple[Catalog, Lake]:
    """Orders of ann on every day and of bob on every fifth, and spend of each day."""
    catalog = planted_catalog(tmp_path / "sql")
    bob = [order for n in range(1, last + 1, 5) for order in one_a_day(n, n, ("bob",))]
    lake = planted_lake(tmp_path / "data", catalog, [*one_a_day(1, last), *bob, *(orders or [])])
    build_features(lake, DuckDBEngine(), catalog, catalog.feature_views[0], days_between(day(1), day(last)))
    return catalog, lake


def read_split(lake: Lake, last: int, name: str) -> pl.DataFrame:
    return lake.read("processed", "returning", day(last), file=f"{name}.parquet")


def test_a_training_set_by_hand(lake: Lake, catalog: Catalog) -> None:

    outcome, checks = build_training_set(lake, DuckDBEngine(), catalog, catalog.models[0], day(9))

    # labels complete by the 9th: features of the 1st to the 7th; an embargo of two days costs one day between splits
    assert [c.check_name for c in checks if not c.passed] == []
    assert outcome.counts == {"rows": 9, "rows_train": 6, "rows_validation": 1, "rows_test": 2}
    expected = pl.DataFrame(
        [
            ("ann", 2, 1, 30, True),
            ("bob", 2, 1, None, False),
            ("ann", 3, 2, 30, True),
            ("bob", 3, 1, None, False),
            ("ann", 4, 3, 30, True),
            ("bob", 4, 1, None, False),
        ],
        schema=["customer_id", "on", "orders_3d", "age", "label"],
        orient="row",
    )
    train = read_split(lake, 9, "train")
    assert_frame_equal(
        train.select("customer_id", pl.col("as_of").dt.day().cast(pl.Int64).alias("on"), "orders_3d", "age", "label"),
        expected,
    )
    days = {name: read_split(lake, 9, name)["as_of"].dt.day().unique().sort().to_list() for name in SPLITS}
    assert days == {"train": [2, 3, 4], "validation": [6], "test": [8]}


def test_splits_are_on_record_with_the_version_of_their_features(lake: Lake, catalog: Catalog) -> None:
    build_training_set(lake, DuckDBEngine(), catalog, catalog.models[0], day(9))
    build_training_set(lake, DuckDBEngine(), catalog, catalog.models[0], day(9))

    record = pl.read_parquet(lake.root / "meta" / "dataset_splits.parquet")

    assert record.select("model", "as_of", "split", "first_day", "last_day").rows() == [
        ("returning", day(9), "test", day(7), day(7)),
        ("returning", day(9), "train", day(1), day(3)),
        ("returning", day(9), "validation", day(5), day(5)),
    ]
    for row in record.iter_rows(named=True):
        frame = read_split(lake, 9, row["split"])
        assert (row["rows"], row["positives"]) == (frame.height, frame["label"].sum())
        assert row["feature_version"] == view_version(catalog, catalog.feature_views[0])


def test_labels_of_days_that_have_no_features_are_refused_and_not_left_out(tmp_path: Path, lake: Lake) -> None:
    moved = RETURNING_SQL.replace(
        "f.*exclude (date)", "f.*exclude (date) replace (f.as_of + interval '9' day as as_of)"
    )
    catalog = planted_catalog(tmp_path / "moved", returning_sql=moved)

    outcome, _ = build_training_set(lake, DuckDBEngine(), catalog, catalog.models[0], day(9))

    assert outcome.written is None
    assert (outcome.refused or "").startswith("returning.sql gives rows of 2026-01-10, 2026-01-11, ")
    assert (outcome.refused or "").endswith("of 2026-01-01 to 2026-01-07: give as_of as it is in features")


@pytest.mark.parametrize(
    ("last", "empty"), [(5, ["validation"]), (4, ["validation", "test"]), (3, ["validation", "test"])]
)
def test_a_short_history_is_written_with_a_warning(last: int, empty: list[str], tmp_path: Path) -> None:
    catalog, lake = training_lake(tmp_path, last)

    result = materialize(training_asset(catalog, catalog.models[0]), lake, day(last))

    warned = {c.check_name: c.description or "" for c in result.get_asset_check_evaluations() if not c.passed}
    assert result.success
    assert list(warned) == ["splits_are_filled"]
    assert [name for name in SPLITS if f"{name} is empty" in warned["splits_are_filled"]] == empty
    assert [name for name in SPLITS if read_split(lake, last, name).is_empty()] == empty


def test_the_warning_says_how_much_history_it_takes(tmp_path: Path) -> None:
    needed = 7  # three feature days, one day of embargo twice, two days of horizon
    catalog, lake = training_lake(tmp_path, needed)

    _, short = build_training_set(lake, DuckDBEngine(), catalog, catalog.models[0], day(needed - 1))
    _, long = build_training_set(lake, DuckDBEngine(), catalog, catalog.models[0], day(needed))

    (warning,) = [str(c.description) for c in short if not c.passed]
    assert warning.endswith(f"(it takes {needed} days of history)")
    assert [c for c in long if not c.passed] == []


def test_without_a_complete_label_there_is_no_training_set(tmp_path: Path) -> None:
    catalog, lake = training_lake(tmp_path, 2)

    result = materialize(training_asset(catalog, catalog.models[0]), lake, day(2))

    assert result.success  # too early is no fault of the data
    said = {c.check_name: c.description or "" for c in result.get_asset_check_evaluations() if not c.passed}
    assert "no feature day has a complete label by 2026-01-02" in said["contract_holds"]
    assert result.asset_materializations_for_node("processed__returning") == []
    assert not lake.folder("processed", "returning").exists()


@pytest.mark.parametrize(
    ("stage", "name", "gone", "said"),
    [
        ("features", "spend", 3, "features/spend has no 2026-01-03"),
        ("interim", "orders", 9, "the labels need interim/orders of 2026-01-09, which are missing or refused"),
    ],
)
def test_a_missing_day_of_features_or_labels_is_named(
    lake: Lake, catalog: Catalog, stage: str, name: str, gone: int, said: str
) -> None:
    lake.path(stage, name, day(gone)).unlink()

    outcome, _ = build_training_set(lake, DuckDBEngine(), catalog, catalog.models[0], day(9))

    assert outcome.refused == said


def test_features_of_another_version_are_not_learned_from(lake: Lake, tmp_path: Path) -> None:
    newer = planted_catalog(tmp_path / "newer", spend_sql=SPEND_SQL.replace("count(*)", "count(*) + 1"))

    outcome, _ = build_training_set(lake, DuckDBEngine(), newer, newer.models[0], day(9))

    assert outcome.refused is not None
    assert "were made by another version than" in outcome.refused


def test_the_same_inputs_give_the_same_bytes(lake: Lake, catalog: Catalog) -> None:
    build_training_set(lake, DuckDBEngine(), catalog, catalog.models[0], day(9))
    before = [lake.path("processed", "returning", day(9), f"{name}.parquet").read_bytes() for name in SPLITS]

    build_training_set(lake, DuckDBEngine(), catalog, catalog.models[0], day(9))

    assert [lake.path("processed", "returning", day(9), f"{name}.parquet").read_bytes() for name in SPLITS] == before


def test_orders_after_the_day_do_not_change_the_training_set(lake: Lake, catalog: Catalog, tmp_path: Path) -> None:
    later_catalog, later = training_lake(tmp_path / "b", 9, one_a_day(10, 12, ("ann", "bob", "eve")))
    build_training_set(lake, DuckDBEngine(), catalog, catalog.models[0], day(9))
    build_training_set(later, DuckDBEngine(), later_catalog, later_catalog.models[0], day(9))

    for name in SPLITS:
        assert_frame_equal(read_split(later, 9, name), read_split(lake, 9, name))


def test_a_range_builds_a_training_set_as_of_each_of_its_days(lake: Lake, catalog: Catalog) -> None:

    result = materialize(training_asset(catalog, catalog.models[0]), lake, day(8), day(9))

    assert result.success
    assert lake.days("processed", "returning", "train.parquet") == [day(8), day(9)]


def test_rows_that_break_the_contract_keep_the_training_set_away(lake: Lake, catalog: Catalog, tmp_path: Path) -> None:
    broken = planted_catalog(
        tmp_path / "b",
        returning_sql=catalog.read_sql("returning.sql").replace(
            "(date)", "(date) replace (cast(0 as bigint) as orders_3d)"
        ),
    )

    outcome, _ = build_training_set(lake, DuckDBEngine(), broken, broken.models[0], day(9))

    assert outcome.refused == "breaks its contract"
    assert any("orders_3d" in line for line in outcome.breaches)


def test_a_correction_of_a_column_the_label_does_not_read_leaves_the_training_set_as_it_is(
    lake: Lake, catalog: Catalog
) -> None:
    model = catalog.models[0]
    plan = plan_training_set(model, day(9), lake.days("features", "spend")[0])
    before = inputs_digest(lake, catalog, plan)

    drop_orders(lake, "orders_2026-07-01.csv", [("ann9", "ann", day(9), "99.00", "web")])
    bring_in(lake, catalog)
    other_amount = inputs_digest(lake, catalog, plan)
    drop_orders(lake, "orders_2026-07-02.csv", [("bob9", "bob", day(9), "1.00", "web")])
    bring_in(lake, catalog)

    assert lake.read("interim", "orders", day(9)).filter(pl.col("order_id") == "ann9")["amount"].item() == 99
    assert other_amount == before
    assert inputs_digest(lake, catalog, plan) != before
