"""Columns that are called as files call them: SQL over them is written so that it can be run."""

from dataclasses import replace
from typing import Annotated, Literal

import pandera.polars as pa
import polars as pl
import pytest

from mlpipe_assets.catalog.aggregates import Aggregate
from mlpipe_assets.catalog.declarations import Catalog, Entity, FeatureView, Source
from mlpipe_assets.catalog.view_sql.columns import features_of
from mlpipe_assets.contracts.sourced import Sourced
from mlpipe_assets_tests.catalog.declared import contract_for


class Visits(Sourced):
    """Columns with names that SQL reads only in quotes. Grain: id."""

    id: str = pa.Field()
    who: str = pa.Field()
    at: Annotated[pl.Datetime, "us", "UTC"] = pa.Field()
    country: str = pa.Field(alias="Land (ISO)")
    size: pl.Int64 = pa.Field(alias="Größe der Gruppe", nullable=True)
    order: str = pa.Field()
    limit: pl.Int64 = pa.Field()
    shop: str = pa.Field(alias="ShopID")


@pytest.mark.parametrize("late", ["as_known", "correct"])
@pytest.mark.parametrize("column", ["Land (ISO)", "Größe der Gruppe", "order", "limit", "ShopID"])
def test_a_column_may_be_called_whatever_a_file_calls_it(column: str, late: Literal["as_known", "correct"]) -> None:
    numbers = ("sum", "mean", "stddev") if column in ("Größe der Gruppe", "limit") else ()
    functions = ("count", "count_distinct", "min", "max", "first", "last", *numbers)
    view = FeatureView(
        name="of_visits",
        entity=Entity(name="guest", join_keys=("who",)),
        source="visits",
        aggregates=tuple(Aggregate(function, column, name=f"{function}_of_it", days=(2, 4)) for function in functions),
        contract=Visits,
        late=late,
    )
    visits = Source(name="visits", contract=Visits, key=("id",), event_time="at")

    catalog = Catalog(
        sources=(visits,), feature_views=(replace(view, contract=contract_for(view, (visits,))),), models=()
    )

    assert {feature.name for feature in features_of(catalog, catalog.feature_views[0])} >= {"count_distinct_of_it_4d"}
