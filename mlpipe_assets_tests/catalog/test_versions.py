"""Code versions move with what decides a table, and with nothing else."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pandera.polars as pa
import polars as pl
import pytest

from mlpipe_assets.catalog.declarations import Catalog, FeatureView, Model, Tolerance
from mlpipe_assets.catalog.sources import orders
from mlpipe_assets.catalog.versions import model_version, source_version, sql_digest, view_version
from mlpipe_assets.contracts.orders import Orders
from mlpipe_assets.errors import SqlError
from mlpipe_assets_tests.planted import RETURNING_SQL, SPEND_SQL, Spend, UtcTime, planted_catalog, returning, spend


class Reworded(pa.DataFrameModel):
    """Says the same of the same columns in other words."""

    customer_id: str = pa.Field(unique=True, description="Somebody.")
    as_of: UtcTime
    orders_3d: pl.Int64 = pa.Field(ge=1)
    age: pl.Int64 = pa.Field(nullable=True)

    class Config:
        strict = True


class Stricter(Spend):
    """Spend, and nobody orders more than ten times."""

    orders_3d: pl.Int64 = pa.Field(ge=1, le=10)


class StricterOrders(Orders):
    """Orders of at least a cent."""

    quantity: pl.Int64 = pa.Field(in_range={"min_value": 1, "max_value": 99})


def prepared(frame: pl.DataFrame) -> pl.DataFrame:
    return frame


def version_of(catalog: Catalog) -> tuple[str, str]:
    return view_version(catalog, catalog.feature_views[0]), model_version(catalog, catalog.models[0])


COSMETIC: dict[str, Callable[[Path], Catalog]] = {
    "comments and white space": lambda p: planted_catalog(
        p, spend_sql="-- changed\n" + SPEND_SQL.replace("\n", "\n  ")
    ),
    "the case of keywords": lambda p: planted_catalog(p, spend_sql=SPEND_SQL.replace("select", "SELECT")),
    "docstrings and descriptions": lambda p: planted_catalog(p, view=replace(spend, contract=Reworded)),
    "owners and freshness": lambda p: planted_catalog(
        p, view=replace(spend, owners=("team:x",), fresh_within=timedelta(days=3))
    ),
    "how old a row may be that is joined": lambda p: planted_catalog(p, view=replace(spend, ttl=timedelta(days=3))),
}
DECISIVE: dict[str, Callable[[Path], Catalog]] = {
    "a window": lambda p: planted_catalog(p, spend_sql=SPEND_SQL.replace("d.day - 3", "d.day - 2")),
    "the lookback": lambda p: planted_catalog(p, view=replace(spend, lookback=timedelta(days=4))),
    "a rule": lambda p: planted_catalog(p, view=replace(spend, contract=Stricter)),
    "a rule of an input": lambda p: with_orders(planted_catalog(p), contract=StricterOrders),
    "the tolerance of an input": lambda p: with_orders(planted_catalog(p), tolerance=Tolerance(share=0.5)),
    "the prepare function of an input": lambda p: with_orders(planted_catalog(p), prepare=prepared),
}


def with_orders(catalog: Catalog, **changes: object) -> Catalog:
    """The catalog with another declaration of orders."""
    changed = replace(orders, **changes)  # type: ignore[arg-type]
    return replace(catalog, sources=(changed, *catalog.sources[1:]))


@pytest.mark.parametrize("change", COSMETIC)
def test_wording_does_not_make_a_new_version(change: str, tmp_path: Path) -> None:
    assert version_of(COSMETIC[change](tmp_path / "b")) == version_of(planted_catalog(tmp_path / "a"))


@pytest.mark.parametrize("change", DECISIVE)
def test_what_decides_the_features_makes_a_new_version_of_them_and_of_what_learns_from_them(
    change: str, tmp_path: Path
) -> None:
    features, training = version_of(planted_catalog(tmp_path / "a"))

    changed_features, changed_training = version_of(DECISIVE[change](tmp_path / "b"))

    assert changed_features != features
    assert changed_training != training


@pytest.mark.parametrize(
    "changes", [{"horizon": timedelta(days=1)}, {"embargo": timedelta(days=3)}, {"split": (0.5, 0.25, 0.25)}]
)
def test_what_decides_the_training_set_leaves_the_features_as_they_are(
    changes: dict[str, object], tmp_path: Path
) -> None:
    features, training = version_of(planted_catalog(tmp_path / "a"))
    model: Model = replace(returning, **changes)  # type: ignore[arg-type]

    changed_features, changed_training = version_of(planted_catalog(tmp_path / "b", model=model))

    assert changed_features == features
    assert changed_training != training


def test_another_label_makes_a_new_training_set(tmp_path: Path) -> None:
    features, training = version_of(planted_catalog(tmp_path / "a"))
    sql = RETURNING_SQL.replace("o.date > f.date", "o.date >= f.date")

    changed_features, changed_training = version_of(planted_catalog(tmp_path / "b", returning_sql=sql))

    assert changed_features == features
    assert changed_training != training


def test_versions_do_not_depend_on_where_the_sql_lies(tmp_path: Path) -> None:
    assert version_of(planted_catalog(tmp_path / "a")) == version_of(planted_catalog(tmp_path / "elsewhere" / "b"))


def test_sql_edited_under_a_running_process_changes_neither_its_version_nor_what_it_runs(tmp_path: Path) -> None:
    catalog = planted_catalog(tmp_path / "a")
    before = version_of(catalog)

    (tmp_path / "a" / "spend.sql").write_text(SPEND_SQL.replace("count(*)", "count(*) + 1"))

    assert (version_of(catalog), catalog.read_sql("spend.sql")) == (before, SPEND_SQL)


def test_the_order_of_inputs_and_a_renamed_view_are_told(tmp_path: Path) -> None:
    view: FeatureView = replace(spend, name="spending")

    assert version_of(planted_catalog(tmp_path / "a", view=view)) != version_of(planted_catalog(tmp_path / "b"))
    assert source_version(orders) == source_version(replace(orders))


def test_sql_that_does_not_parse_says_so() -> None:
    with pytest.raises(SqlError, match=r"^The SQL:1: does not parse: Expected table name$"):
        sql_digest("select from where (")
