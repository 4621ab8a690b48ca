"""What is wrong with a feature view that is declared by aggregates, each with what to write instead."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping

import polars as pl

from mlpipe_assets.catalog.aggregates import FUNCTIONS, NEEDS_COLUMN, ON_NUMBERS, Aggregate, From
from mlpipe_assets.catalog.columns import columns_of
from mlpipe_assets.catalog.declarations import Catalog, FeatureView, is_snapshot
from mlpipe_assets.catalog.nearest import or_nearest
from mlpipe_assets.catalog.validation.conditions import problems_of_condition
from mlpipe_assets.catalog.validation.promises import broken_by_view
from mlpipe_assets.catalog.view_sql.columns import features_of, spell_column
from mlpipe_assets.rules import Column, columns

_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")
_MOST_DAYS = 3660
_LONGEST_SQUARED = 18


def wrong_way(view: FeatureView) -> Iterator[str]:
    """Why a view is neither declared by aggregates nor written in SQL, nor has the rows of another, or is two of these."""
    if view.rows_of:
        yield from _wrong_rows(view)
        return
    if not view.is_declared:
        yield from _wrong_sql(view)
        return
    if view.sql:
        yield "it declares aggregates and sql as well: leave one of them away"
    if view.scope != "entity":
        yield 'scope="population" is for a view written in SQL; aggregates describe one entity by its own rows'
    if not view.source:
        yield 'it has no source: write source="orders", the table whose rows say who is described'
    if not view.lookback and view.source and not view.sql and not any(one.days for one in view.aggregates):
        yield "nothing says how far back it looks: give an aggregate days=(30,), or write lookback=timedelta(days=90)"
    derived = (view.source, *(one.source for one in view.attributes))
    if view.inputs and view.source and {*view.inputs} != {*derived}:
        yield f"its inputs follow from source and attributes ({', '.join(dict.fromkeys(map(str, derived)))}): leave inputs away"


def _wrong_sql(view: FeatureView) -> Iterator[str]:
    """What a view written in SQL lacks, or has too much."""
    if not view.sql:
        yield 'it declares nothing: write source="orders", aggregates=(Aggregate(...),), or inputs=(...) and sql="features/….sql"'
    elif not view.lookback:
        yield "its SQL needs a lookback: write lookback=timedelta(days=90), as far back as its windows go"
    if view.is_as_known:
        yield 'late="as_known" is for declared aggregates: SQL reads the rows that hold now. Leave it away, or declare aggregates'


def _wrong_rows(view: FeatureView) -> Iterator[str]:
    """Why a view cannot have the rows of another one."""
    if view.is_declared or view.sql:
        yield "it has the rows of another view, and declares rows of its own: leave one of them away"
    elif view.rows_of not in {feature.partition(":")[0] for feature in view.joins}:
        yield f"it has the rows of {view.rows_of}: take features of that view, too (joins=(...))"


def broken_declaration(catalog: Catalog, view: FeatureView) -> Iterator[str]:
    """What is wrong with a view of aggregates; its text is judged by the engine where nothing else is."""
    readable = (bool(columns_of(s.contract)[0]) for s in catalog.sources if s.name in view.inputs)
    if all(readable):  # what is not is said of the source
        found = objections_to_declaration(catalog, view) or [*_contract(catalog, view)]
        yield from found or broken_by_view(catalog, view)


def objections_to_declaration(catalog: Catalog, view: FeatureView) -> list[str]:
    """What does not hold of what a view declares, whatever its contract says."""
    found = (
        [*wrong_way(view)] if view.is_declared else ["it is written in SQL, which says what its contract is to promise"]
    )
    found = found or [*_source(catalog, view)]
    if found:
        return found
    given = {column.name: column for column in columns(catalog.source(view.source).contract)}
    for number, one in enumerate(view.aggregates, 1):
        found += [f"{_who(one, number)}: {line}" for line in _aggregate(view, one, given, catalog)]
    found += [f"From({one.source!r}): {line}" for one in view.attributes for line in _attribute(catalog, view, one)]
    return found or [*_names(view)]


def _who(one: Aggregate, number: int) -> str:
    return f"aggregate {one.name!r}" if isinstance(one.name, str) and one.name else f"aggregate {number}"


def _source(catalog: Catalog, view: FeatureView) -> Iterator[str]:
    known = {source.name: source for source in catalog.sources}
    if view.source not in known:
        yield f"source {view.source!r} is no source{or_nearest(view.source, [*known])}"
        return
    source = known[view.source]
    if is_snapshot(source):
        yield (
            f"source {view.source!r} is a snapshot, whose rows happen on no day: take its columns by "
            f"attributes=(From({view.source!r}, ...),)"
        )
        return
    given = {column.name: column for column in columns(source.contract)}
    for key in view.entity.join_keys:
        if key not in given:
            yield (
                f"join key {key!r} of entity {view.entity.name!r} ({view.entity.place}) is no column of "
                f"{source.contract.__name__}{or_nearest(key, [*given])}"
            )
        elif given[key].nullable:
            yield (
                f"join key {key!r} is nullable in {source.contract.__name__}, and a row without it belongs to nobody: take "
                "nullable=True away, and such rows are refused"
            )


def _aggregate(view: FeatureView, one: Aggregate, given: Mapping[str, Column], catalog: Catalog) -> Iterator[str]:
    shape = [*_shape(one)]
    yield from shape
    if shape:
        return
    longest = max(one.days, default=0)
    if longest > view.lookback.days:
        yield f"its window of {longest} days is longer than the lookback of {view.lookback.days}: leave lookback away, or make it longer"
    if one.column is not None and one.column not in given:
        yield f"column {one.column!r} is no column of {view.source}{or_nearest(one.column, [*given])}"
    elif one.column is not None:
        yield from _column(one, given[one.column])
    if one.where is not None:
        yield from problems_of_condition(one.where, catalog.source(view.source))


def _shape(one: Aggregate) -> Iterator[str]:
    if one.function not in FUNCTIONS:
        yield f"function {one.function!r} is none of {', '.join(FUNCTIONS)}{or_nearest(f'{one.function}', FUNCTIONS)}"
    elif one.column is None and one.function in NEEDS_COLUMN:
        yield f'{one.function} needs a column: write Aggregate("{one.function}", "amount", ...)'
    if one.column is not None and not (isinstance(one.column, str) and one.column):
        yield f"column={one.column!r} is no text"
    if not (isinstance(one.name, str) and _NAME.fullmatch(one.name)):
        yield f"name={one.name!r} must be of a-z, 0-9 and _, and begin with a letter"
    days: object = one.days
    if isinstance(days, int):
        yield f"days={days!r} is a number, not a tuple: write days=({days},) with the comma"
    elif not isinstance(days, tuple) or not all(_is_length(n) for n in days):
        yield f"days={one.days!r} must be whole numbers from 1 to {_MOST_DAYS}: write days=(7, 30)"
    elif twice := [n for n, count in Counter(one.days).items() if count > 1]:
        yield f"days names {twice[0]} twice"
    if one.where is not None and not (isinstance(one.where, str) and one.where.strip()):
        yield f"""where={one.where!r} is no condition: write where="channel = 'web'\""""


def _is_length(n: object) -> bool:
    return isinstance(n, int) and not isinstance(n, bool) and 1 <= n <= _MOST_DAYS


def _column(one: Aggregate, column: Column) -> Iterator[str]:
    dtype = column.dtype
    if one.function in ON_NUMBERS and not dtype.is_numeric():
        instead = (
            'count it with where= instead: Aggregate("count", where="…")' if dtype == pl.Boolean else "take a number"
        )
        yield f"{one.function} of {column.name!r} is of {dtype}, which is no number; {instead}"
    if one.function == "stddev" and isinstance(dtype, pl.Decimal) and (dtype.precision or 38) > _LONGEST_SQUARED:
        yield (
            f"stddev of {column.name!r} squares numbers of {dtype.precision} digits, more than a table holds: declare at most "
            f"{_LONGEST_SQUARED} digits, or float, in the contract of the source"
        )


def _attribute(catalog: Catalog, view: FeatureView, one: From) -> Iterator[str]:
    known = {source.name: source for source in catalog.sources}
    source = known.get(one.source)
    if source is None:
        yield f"it is no source{or_nearest(f'{one.source}', [*known])}"
        return
    if not is_snapshot(source):
        yield (
            "it is no snapshot, so no row of it is in force on a day: take its last value by "
            f'Aggregate("last", ...), in a view with source={one.source!r}'
        )
        return
    if not {*source.key} <= {*view.entity.join_keys}:
        yield (
            f"its key ({', '.join(source.key)}) is more than the join keys ({', '.join(view.entity.join_keys)}): an entity "
            "would have several rows"
        )
    if [other.source for other in view.attributes].count(one.source) > 1:
        yield "it is named twice: put all its columns into one From"
    pairs = [*_pairs("days_since", one.days_since), *_pairs("renamed", one.renamed)]
    yield from pairs
    if pairs:
        return
    if not one.features:
        yield "it names no column"
    given = {column.name: column for column in columns(source.contract)}
    yield from (
        f"{name!r} is no column of it{or_nearest(f'{name}', [*given])}"
        for name in one.features.values()
        if name not in given
    )
    yield from (
        f"days_since {feature!r}: {name!r} is {given[name].dtype}, not a date or a time"
        for feature, name in one.days_since
        if name in given and given[name].dtype not in (pl.Date, pl.Datetime)
    )


def _pairs(field: str, value: object) -> Iterator[str]:
    good = isinstance(value, tuple) and all(
        isinstance(pair, tuple) and len(pair) == 2 and all(isinstance(text, str) for text in pair)  # noqa: PLR2004 (a pair)
        for pair in value
    )
    if not good:
        yield f'{field}={value!r} is no mapping of feature to column: write {field}={{"tenure_days": "signup_date"}}'


def _names(view: FeatureView) -> Iterator[str]:
    names = [*view.entity.join_keys, "as_of"]
    names += [name for one in view.aggregates for name in one.features]
    names += [name for one in view.attributes for name in one.features]
    yield from (f"two features are called {name!r}" for name, count in Counter(names).items() if count > 1)
    yield from (
        f"the feature's name {name!r} must be of a-z, 0-9 and _, and begin with a letter"
        for one in view.attributes
        for name in one.features
        if not _NAME.fullmatch(name)
    )


def _contract(catalog: Catalog, view: FeatureView) -> Iterator[str]:
    """Whether the contract promises what is declared, and no more."""
    promised = {column.name: column for column in columns(view.contract)}
    name, declared = view.contract.__name__, features_of(catalog, view)
    for feature in declared:
        column = promised.get(feature.name)
        if column is None:
            yield f"{name} lacks {feature.name!r}: write `{spell_column(feature)}` in it, or see `mlpipe scaffold view {view.name}`"
        elif column.dtype not in feature.dtypes:
            kinds = " or ".join(f"{dtype}" for dtype in feature.dtypes)
            yield f"{feature.name!r} is {column.dtype} in {name}, and {feature.what} gives {kinds}: write `{spell_column(feature)}`"
        elif feature.null_when and not column.nullable:
            yield f"{feature.name!r} may be null ({feature.null_when}): write nullable=True in {name}"
    known = {feature.name for feature in declared}
    yield from (
        f"{name} promises {other!r}, which nothing declares: add an Aggregate or a From, or take it out{or_nearest(other, [*known])}"
        for other in promised
        if other not in known
    )
