"""The columns a model is judged by slice of, for the rows of its splits."""

from collections.abc import Mapping

import polars as pl

from mlpipe_assets.catalog.declarations import Catalog, Model
from mlpipe_assets.engines.engine import Engine
from mlpipe_assets.partitions import ONE_DAY, days_between
from mlpipe_assets.point_in_time.source_days import SourceDays
from mlpipe_assets.store.lake import Lake
from mlpipe_assets.training.slice_names import name_slices, nameable
from mlpipe_assets.transforms.splits import feature_days


def read_slices(
    lake: Lake, engine: Engine, catalog: Catalog, model: Model, splits: Mapping[str, pl.DataFrame]
) -> dict[str, pl.DataFrame]:
    """The slice columns of the rows of each split, in their order, by names that may be shown; none where none is declared."""
    if model.slices is None:
        return {}
    days = sorted({day for frame in splits.values() for day in feature_days(frame, moments=model.view.moments)})
    state = lake.state("features", model.view.name)
    there = [day for day in days if state.has(day)]
    if not there:
        return {}
    window = days_between(there[0] - model.view.lookback + ONE_DAY, there[-1])
    tables = {"features": state.files(there)}
    for name in model.inputs:
        source = SourceDays(lake=lake, source=catalog.source(name))
        tables[name] = source.paths(day for day in window if day in source.present)
    found = engine.select(catalog.read_sql(model.slices), tables, {})
    key = [*model.view.entity.join_keys, "as_of"]
    found = pl.concat([found.select(key), name_slices(found.drop(key), nameable(catalog, model))], how="horizontal")
    return {
        name: frame.select(key)
        .join(found, on=key, how="left", maintain_order="left")
        .drop(key)
        .select(pl.all().fill_null("unknown"))
        for name, frame in splits.items()
    }
