"""Which SQL Spark reads as DuckDB does, and what is said of the rest before any cluster is asked."""

import pickle
from pathlib import Path

import polars as pl
import pytest

from mlpipe_assets.catalog.contents import CATALOG
from mlpipe_assets.catalog.declarations import Model
from mlpipe_assets.catalog.validation.promises import tables_of_model, tables_of_view
from mlpipe_assets.engines.bucket_engine import BucketEngine
from mlpipe_assets.engines.duckdb_engine import DuckDBEngine
from mlpipe_assets.engines.portable import parameters_of, spell_for_spark
from mlpipe_assets.engines.portable_subset import find_unportable
from mlpipe_assets.engines.refused import RefusedSqlError
from mlpipe_assets.engines.registry import open_engine_on
from mlpipe_assets.engines.spark_engine import SparkEngine
from mlpipe_assets.errors import SettingsError
from mlpipe_assets.executors.executor import THREADS

TABLES = {
    name: {
        "k": pl.String(),
        "w": pl.String(),
        "a": pl.Int64(),
        "b": pl.Int64(),
        "c": pl.Int64(),
        "d": pl.Date(),
        "ts": pl.Datetime("us", "UTC"),
        "money": pl.Decimal(18, 2),
        "ratio": pl.Float64(),
    }
    for name in ("t", "u")
}


class Unreachable:
    """A cluster that nobody may ask."""

    name = "nowhere"

    def session(self) -> object:
        """Fail."""
        raise AssertionError("it was asked")


@pytest.mark.parametrize("view", [view.name for view in CATALOG.feature_views])
def test_the_features_of_the_example_are_portable(view: str) -> None:
    text, tables = CATALOG.view_sql(CATALOG.view(view)), tables_of_view(CATALOG, CATALOG.view(view))

    assert find_unportable(text, tables) == []


@pytest.mark.parametrize("model", CATALOG.models, ids=lambda model: model.name)
def test_the_training_sets_of_the_example_are_portable(model: Model) -> None:
    assert find_unportable(CATALOG.read_sql(model.sql), tables_of_model(CATALOG, model)) == []


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        ("select a from t asof join u using (k, ts)", "asof join"),
        ("select a from t qualify row_number() over (order by a desc) = 1", "qualify"),
        ("pivot t on k using count(*)", "pivot"),
        ("select * exclude (a) from t", "columns left out"),
        ("select distinct on (a) a from t", "distinct on"),
        ("select extract(dow from d) as day from t", "extract(dow)"),
        ("select extract(day from ts - ts) as day from t", "time between two"),
        ("select median(a) as m from t", "median()"),
        ("select list_sort(w) as m from t", "list_sort() is not in the subset"),
        ("select concat(w, null) as m from t", "concat() leaves nulls out"),
        ("select upper(w) as m from t", "upper()"),
        ("select a ^ 2 as m from t", "^ is another operator"),
        ("select a // 2 as m from t", "// is not known"),
        ("select [a] as m from t", "lists"),
        ("select w like 'a\\%' as m from t", "backslash"),
        ("select a from t order by all", "`by all`"),
        ("select cast(w as uuid) as m from t", "uuid is no type there"),
        ("select cast(money as integer) as n from t", "rounds here and cuts there"),
        ("select cast(money * 10 as integer) as n from t", "rounds here and cuts there"),
        ("select cast(a / 2 as integer) as n from t", "rounds here and cuts there"),
        (
            "with u as (select a / 2 as half from t) select cast(u.half as int) as n from u",
            "rounds here and cuts there",
        ),
        ("select cast(a / 2 as decimal(9, 2)) as n from t", "floats to decimals"),
        ("select cast(ts as text) as n from t", "other texts"),
        ("select w || ratio as n from t", "other texts"),
        ("select avg(money) as m from t", "avg() of decimals"),
        ("select round(ratio, 2) as m from t", "round() of floats"),
        ("select d - d as m from t", "days between two dates"),
        ("select substr(w, 0) as m from t", "substr() from 0"),
        ("select max_by(w, ts) as m from t", "max_by()"),
    ],
)
def test_what_spark_reads_otherwise_is_named(sql: str, said: str) -> None:
    [found] = find_unportable(sql, TABLES)

    assert said in found.words


def test_each_objection_has_its_line() -> None:
    sql = "select\n    median(a) as m,\n    w ^ 2 as n\nfrom t"

    assert [one.line for one in find_unportable(sql, TABLES)] == [2, 3]
    assert [one.line for one in find_unportable("select\n    k,\n    avg(money) as m\nfrom t\ngroup by k", TABLES)] == [
        3
    ]


@pytest.mark.parametrize(
    "sql",
    [
        "select k, lead(d) over (partition by k order by d, a desc) as next from t",
        "select count(*) filter (where a > 1) as n, sum(a) over (order by d desc rows between 1 preceding and 1 following) from t",
        "select 'order by a, median(b)' as words -- median(c)\nfrom t",
        "select cast(money * 100 as bigint) as cents, cast(round(ratio) as int) as whole, cast(cast(money as decimal(9, 0)) as int) from t",
        "select cast(d - date '2026-01-01' as bigint) as age, sum(money) / count(money) as mean from t",
        "with median(x) as (select a from t) select x from median",
    ],
)
def test_what_both_read_alike_is_let_pass(sql: str) -> None:
    assert find_unportable(sql, TABLES) == []


@pytest.mark.parametrize(
    ("sql", "spelled"),
    [
        ("'$a' as x, d - $start as n -- $c", "'$a' as x, d - :start as n -- $c"),
        ("a / b * c", "a / 1e0 / b * c"),
        (
            "'a/b', cast(a as text), b::varchar, cast(c as timestamptz)",
            "'a/b', cast(a as string), b::string, cast(c as timestamp)",
        ),
        ("w as text, a as number, (select b as decimal)", "w as text, a as number, (select b as decimal)"),
        ("cast(a as decimal), cast(a as decimal(9, 2))", "cast(a as decimal(18, 3)), cast(a as decimal(9, 2))"),
        ("max(a) over (order by b, c desc, d asc)", "max(a) over (order by b nulls last, c desc, d asc nulls last)"),
        (
            "max(a) over (order by b nulls first rows 1 preceding)",
            "max(a) over (order by b nulls first rows 1 preceding)",
        ),
        (
            "max(a) over (order by least(b, c) rows 1 preceding)",
            "max(a) over (order by least(b, c) nulls last rows 1 preceding)",
        ),
    ],
)
def test_a_text_is_spelled_as_spark_takes_it(sql: str, spelled: str) -> None:
    assert spell_for_spark(f"select {sql}\nfrom t limit 3") == f"select {spelled}\nfrom t limit 3"


def test_the_parameters_of_a_text_are_those_outside_of_texts_and_comments() -> None:
    assert parameters_of("select '$a' as x, d - $start as n -- $c\nfrom t where d < $end") == {"start", "end"}


def test_a_text_off_the_subset_is_refused_before_the_cluster_is_asked(tmp_path: Path) -> None:
    engine = SparkEngine(cluster=Unreachable(), aside=tmp_path)

    with pytest.raises(RefusedSqlError, match=r"not for Spark, by MLPIPE_ENGINE=spark: median\(\)"):
        engine.select_by_day(
            "select median(a) as m from t", {"t": pl.DataFrame({"a": [1]})}, {}, rows=1, keys=["k"], days=1
        )


def test_sent_to_an_executor_it_is_duckdb_alone(tmp_path: Path) -> None:
    engine = SparkEngine(cluster=Unreachable(), aside=tmp_path)

    assert pickle.loads(pickle.dumps(engine)) == DuckDBEngine()  # noqa: S301 (made in this line)


def test_the_engine_follows_from_the_settings(tmp_path: Path) -> None:
    class Elsewhere(Unreachable):
        is_here = False

        def map(self, *_: object) -> object:
            raise AssertionError("it was asked")

    somewhere = Elsewhere()

    assert open_engine_on(THREADS, "1GB", tmp_path) == DuckDBEngine()
    assert isinstance(open_engine_on(somewhere, "1GB", tmp_path), BucketEngine)  # type: ignore[arg-type]
    assert open_engine_on(somewhere, "1GB", tmp_path, "spark").name == "Spark SQL, by nowhere"  # type: ignore[arg-type]
    with pytest.raises(SettingsError, match=r"MLPIPE_ENGINE='presto' is no engine\. Write one of duckdb, spark"):
        open_engine_on(THREADS, "1GB", tmp_path, "presto")
    with pytest.raises(SettingsError, match=r"MLPIPE_EXECUTOR names, and that names none"):
        open_engine_on(THREADS, "1GB", tmp_path, "spark")
