"""Spark SQL against DuckDB, row for row: every SQL file there is, every function of declared views, and every function of the subset."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from mlpipe_assets.catalog.aggregates import FUNCTIONS
from mlpipe_assets.catalog.contents import CATALOG as EXAMPLE
from mlpipe_assets.catalog.declarations import Catalog, FeatureView, Model
from mlpipe_assets.catalog.validation.promises import tables_of_model, tables_of_view
from mlpipe_assets.engines import portable
from mlpipe_assets.engines.duckdb_engine import DuckDBEngine
from mlpipe_assets.engines.engine import Columns
from mlpipe_assets.engines.portable_subset import PORTABLE, find_unportable
from mlpipe_assets.engines.refused import RefusedSqlError
from mlpipe_assets.engines.spark_engine import SparkEngine
from mlpipe_assets.partitions import ONE_DAY, days_between
from mlpipe_assets_tests.catalog.declared import catalog_of
from mlpipe_assets_tests.catalog.test_view_text import BY_TWO_KEYS, EVERYTHING
from mlpipe_assets_tests.engines.drawn_tables import FIRST, LAST, draw_tables
from mlpipe_assets_tests.engines.local_spark import local_spark
from mlpipe_assets_tests.engines.two_weeks import VIEWS, asked_of
from mlpipe_assets_tests.nycflights.catalog import CATALOG as FLIGHTS

pytestmark = [pytest.mark.slow, pytest.mark.long]

_BEFORE_ALL = date(2025, 1, 1)
_PARAMS = {"start": FIRST, "end": LAST, "held": _BEFORE_ALL, "keep": LAST, "begun": datetime(2026, 1, 7, tzinfo=UTC)}


@dataclass(frozen=True, kw_only=True)
class Case:
    """A text, the tables it reads, and the order of its rows."""

    sql: str
    tables: dict[str, pl.DataFrame]
    params: dict[str, Any]
    keys: tuple[str, ...]
    moments: bool = False


def of_view(catalog: Catalog, view: FeatureView) -> Case:
    """The text of a feature view."""
    keys = view.entity.join_keys
    unique = {source.name: source.key for source in catalog.sources}
    if view.is_as_known:
        unique[f"{view.source}_versions"] = catalog.source(str(view.source)).key
    times = [source.event_time for source in catalog.sources if source.event_time]
    tables = draw_tables(tables_of_view(catalog, view), unique, (*keys, *times))
    return Case(sql=catalog.view_sql(view), tables=tables, params={**_PARAMS}, keys=keys)


def of_model(catalog: Catalog, model: Model) -> Case:
    """The text of a training set."""
    unique = {source.name: source.key for source in catalog.sources}
    keys = model.view.entity.join_keys
    tables = draw_tables(tables_of_model(catalog, model), unique, keys)
    tables["features"] = tables["features"].unique([*keys, "as_of"], keep="first", maintain_order=True)
    return Case(sql=catalog.read_sql(model.sql), tables=tables, params={"horizon": 7}, keys=keys)


CASES: dict[str, tuple[Catalog, Any]] = {
    **{f"example, {view.name}": (EXAMPLE, view) for view in EXAMPLE.feature_views if not view.rows_of},
    **{f"example, {model.name}": (EXAMPLE, model) for model in EXAMPLE.models},
    **{f"flights, {view.name}": (FLIGHTS, view) for view in FLIGHTS.feature_views},
    **{f"flights, {model.name}": (FLIGHTS, model) for model in FLIGHTS.models},
    "every function": (catalog_of(EVERYTHING), EVERYTHING),
    "every function as known": (catalog_of(as_known := replace(EVERYTHING, late="as_known")), as_known),
    "two keys": (catalog_of(BY_TWO_KEYS), BY_TWO_KEYS),
}


def case_of(name: str) -> Case:
    """The case of a name."""
    catalog, one = CASES[name]
    return of_model(catalog, one) if isinstance(one, Model) else of_view(catalog, one)


@pytest.fixture(scope="module")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SparkEngine]:
    """The engine on a Spark of this process."""
    with local_spark() as cluster:
        yield SparkEngine(cluster=cluster, aside=tmp_path_factory.mktemp("spark") / "aside")


def rows_by(engine: DuckDBEngine, case: Case) -> pl.DataFrame:
    """All rows of a case, day by day."""
    days = days_between(FIRST - ONE_DAY * 30, LAST + ONE_DAY)
    with engine.select_by_day(
        case.sql, case.tables, case.params, rows=1, keys=(), days=len(days), moments=case.moments
    ) as frames:
        assert frames.astray(days[0], days[-1]) == []
        found = [frame for day in days if (frame := frames.day(day, ("as_of", *case.keys))) is not None]
    return pl.concat(found).drop("_day", strict=False)


def expect_equal(spark: SparkEngine, case: Case, *, least: int) -> None:
    """Fail where the engines differ in rows, names or types."""
    ours, theirs = rows_by(DuckDBEngine(), case), rows_by(spark, case)
    assert ours.height >= least  # nothing is equal for being empty
    order = [name for name in ours.columns if not ours.schema[name].is_nested()]
    assert_frame_equal(theirs.sort(order), ours.sort(order), rel_tol=1e-12, abs_tol=0)


def test_the_cases_are_every_sql_file_and_every_function_of_views() -> None:
    files = {path.name for catalog in (EXAMPLE, FLIGHTS) for path in catalog.sql_dir.rglob("*.sql")}
    slices = {Path(model.slices).name for model in (*EXAMPLE.models, *FLIGHTS.models) if model.slices}
    texts = {Path(one.sql).name for _, one in CASES.values() if one.sql}

    assert files - slices == texts  # slices are asked of DuckDB alone
    assert {aggregate.function for aggregate in EVERYTHING.aggregates} == {*FUNCTIONS}


@pytest.mark.parametrize("name", CASES)
def test_spark_gives_the_rows_of_duckdb(spark: SparkEngine, name: str) -> None:
    expect_equal(spark, case_of(name), least=10)


def test_an_engine_that_puts_nulls_elsewhere_would_be_seen(spark: SparkEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(portable, "_nulls_last", lambda _: ())

    with pytest.raises(AssertionError):
        expect_equal(spark, case_of("example, next_channel"), least=10)


_PLAIN = {  # what Spark has to be set to for a text that nobody has spelled for it
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.parquet.outputTimestampType": "TIMESTAMP_MICROS",
    "spark.sql.ansi.doubleQuotedIdentifiers": "true",
}


@pytest.mark.parametrize("name", VIEWS)
def test_the_written_text_of_a_view_is_spark_sql_as_it_is(spark: SparkEngine, tmp_path: Path, name: str) -> None:
    view, session = VIEWS[name], spark.cluster.session().newSession()
    text, tables, params = asked_of(view)
    for setting, value in _PLAIN.items():
        session.conf.set(setting, value)
    for table, frame in tables.items():
        assert isinstance(frame, pl.DataFrame)
        frame.write_parquet(tmp_path / f"{table}.parquet")
        session.read.parquet(f"{tmp_path / table}.parquet").createOrReplaceTempView(table)

    args = {one: value for one, value in params.items() if f"${one}" in text}
    session.sql(re.sub(r"\$([a-z_]+)", r":\1", text), args=args).coalesce(1).write.parquet(f"{tmp_path / 'answer'}")

    wanted = DuckDBEngine().select(text, tables, params)
    assert wanted.height > 30  # nothing is equal for being empty
    found = pl.read_parquet(f"{tmp_path / 'answer'}/*.parquet", hive_partitioning=False).select(wanted.columns)
    order = ["as_of", *view.entity.join_keys]
    assert_frame_equal(found.sort(order), wanted.sort(order), rel_tol=1e-12, abs_tol=0)


ROWS = pl.DataFrame(
    {
        "k": [1, 2, 3, 4, 5, 6],
        "w": ["a", "B ß", "it's", "  x\t", "", "%a_b"],
        "i": [3, -7, 0, None, 2, 9],
        "d": [Decimal("1.50"), Decimal("-2.50"), Decimal("0.05"), None, Decimal("10.00"), Decimal("3.33")],
        "f": [2.5, -2.5, 0.49999999999999994, None, 1e8, -0.0],
        "t": [date(2024, 2, 29), date(2023, 1, 1), date(2020, 12, 31), None, date(1999, 12, 27), date(2026, 11, 28)],
        "ts": [
            datetime(2024, 2, 29, 23, 59, 59, 999999, UTC),
            datetime(2023, 1, 1, tzinfo=UTC),
            datetime(2020, 12, 31, 12, tzinfo=UTC),
            None,
            datetime(1969, 12, 27, 1, 2, 3, 4, UTC),
            datetime(2026, 11, 28, 8, tzinfo=UTC),
        ],
        "b": [True, False, None, True, False, True],
        "as_of": [datetime(2026, 1, 6, tzinfo=UTC)] * 6,
    },
    schema_overrides={"d": pl.Decimal(18, 2)},
)
OF_A_ROW = """
abs(i); abs(d); abs(f); round(d); round(f); round(d, 1); floor(d); floor(f); ceil(d); ceil(f); sqrt(abs(f)); exp(i); power(i, 2);
pow(f, 2); mod(i, 3); i % 3; d % 2; sign(i); greatest(i, 2); greatest(f, i); least(d, 1); coalesce(d, 0); coalesce(i, 0.5);
nullif(i, 3); ifnull(i, 1); if(i > 2, 1, 0); i / 2; d / 3; d / 7.0; d / nullif(i, 0); i * d / 7; -i; i * d; d * d; d * f; 0.1 + 0.2;
length(w); trim(w); ltrim(w); rtrim(w); substr(w, 2); substring(w, 1, 2); replace(w, 'a', 'z'); contains(w, 'a'); instr(w, 'a');
concat_ws('-', w, null, 'z'); md5(w); w || 'q' || i || d || t || b; w like '%a_b'; w || 'it''s'; w < 'b'; w in ('a', null);
cast(round(d) as integer); cast(d * 100 as bigint); cast(i as double); cast(d as double); cast(i as decimal(10, 2)); cast(i as text);
cast(d as decimal(10, 1)); cast(i as decimal); cast(d as varchar); cast(t as varchar); cast(b as integer); cast(ts as date);
cast(t as timestamp); cast(ts as timestamptz); cast('2024-01-05' as date); cast(i as real); d::double;
cast(t - date '2020-01-01' as bigint);
t + 1; t - 7; ts - interval '36' hour; ts > t; b and i > 1; i is distinct from 3; case when b then 1 else 0.5 end; i not in (3, 4);
date_trunc('month', t); date_trunc('week', ts); extract(year from t); extract(hour from ts); extract(minute from ts); extract(doy from t);
extract(week from t); extract(quarter from t); year(t); month(t); day(ts); hour(ts); minute(ts); quarter(t); dayofyear(t); weekofyear(t);
make_date(2020, 2, k); last_day(t); cast(round(f) as bigint)
"""
OF_ALL_ROWS = """
count(*); count(i); count(distinct i); sum(i); sum(d); sum(f); avg(i); avg(f); min(w); max(w); min(f); max(d); bool_and(b); bool_or(b);
stddev(i); stddev_samp(i); stddev_pop(f); variance(i);
var_samp(d); var_pop(i); percentile_cont(0.5) within group (order by i); percentile_cont(0.25) within group (order by f);
percentile_disc(0.5) within group (order by i); max_by(i, case when i is not null then k end);
min_by(w, case when w is not null then k end);
sum(i) filter (where i > 99); avg(i) filter (where i > 99); stddev_samp(i) filter (where i = 3); sum(d) / count(d); sum(distinct i)
"""
OF_A_WINDOW = """
row_number() over (order by i, k); rank() over (order by b); dense_rank() over (order by b); percent_rank() over (order by i);
cume_dist() over (order by i desc); ntile(2) over (order by i, k); lag(i) over (order by ts); lead(i, 2, 0) over (order by ts desc);
first_value(i) over (order by i, k); last_value(i) over (order by k rows between 1 preceding and current row);
nth_value(i, 2) over (order by k); sum(i) over (order by b); avg(f) over (order by k rows between 1 preceding and current row);
sum(d) over (partition by b order by i nulls first, k); max(t) over (order by k); count(*) over (order by i)
"""


def parts(text: str) -> list[str]:
    """The expressions of a list."""
    return [one.strip() for one in text.replace("\n", " ").split(";")]


def test_the_list_names_every_function_of_the_subset() -> None:
    named = {name for name in PORTABLE if f"{name}(" in OF_A_ROW + OF_ALL_ROWS + OF_A_WINDOW}

    assert PORTABLE - named == set()


@pytest.mark.parametrize(
    ("listed", "grouped"),
    [(OF_A_ROW, ""), (OF_A_WINDOW, ""), (OF_ALL_ROWS, "group by as_of"), (OF_ALL_ROWS, "group by b, as_of")],
)
def test_spark_answers_every_function_as_duckdb_does(spark: SparkEngine, listed: str, grouped: str) -> None:
    named = ", ".join(f"{one} as v{number}" for number, one in enumerate(parts(listed)))
    sql = f"select as_of, {'' if grouped else 'k, '}{named} from rows_of_all {grouped}"

    assert find_unportable(sql, {"rows_of_all": ROWS.schema}) == []
    expect_equal(spark, Case(sql=sql, tables={"rows_of_all": ROWS}, params={}, keys=()), least=1)


REFUSED: dict[str, Columns] = {"rows_of_all": ROWS.schema}
OTHERWISE = (
    "upper(w)", "lower(w)", "substr(w, 0, 2)", "w || f", "cast(f as text)", "cast(ts as text)", "cast(d as integer)", "ln(i)", "i ^ 2",
    "extract(second from ts) / 2", "extract(dow from t)", "dayofweek(t)", "monthname(t)", "concat(w, null)", "w like '%\\\\a'",
)  # fmt: skip


@pytest.mark.parametrize("one", OTHERWISE)
def test_what_spark_would_answer_otherwise_is_refused_and_would_be(
    spark: SparkEngine, monkeypatch: pytest.MonkeyPatch, one: str
) -> None:
    case = Case(
        sql=f"select as_of, k, {one} as v from rows_of_all",
        tables={"rows_of_all": ROWS.with_columns(w=pl.lit("ßİ\\a"))},
        params={},
        keys=(),
    )
    assert find_unportable(case.sql, REFUSED)

    monkeypatch.setattr("mlpipe_assets.engines.spark_engine.find_unportable", lambda *_: ())
    with pytest.raises((AssertionError, RefusedSqlError)):
        expect_equal(spark, case, least=1)
