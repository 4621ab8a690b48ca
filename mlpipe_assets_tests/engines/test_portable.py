"""Which SQL Spark reads as DuckDB does, and what is said of the rest before any cluster is asked."""

import pickle
from pathlib import Path

import pytest

from mlpipe_assets.catalog.contents import CATALOG
from mlpipe_assets.engines.bucket_engine import BucketEngine
from mlpipe_assets.engines.duckdb_engine import LAST_ORDER, DuckDBEngine
from mlpipe_assets.engines.portable import find_unportable, parameters_of, spell_for_spark
from mlpipe_assets.engines.refused import RefusedSqlError
from mlpipe_assets.engines.registry import open_engine_on
from mlpipe_assets.engines.spark_engine import SparkEngine
from mlpipe_assets.errors import SettingsError
from mlpipe_assets.executors.executor import THREADS


class Unreachable:
    """A cluster that nobody may ask."""

    name = "nowhere"

    def session(self) -> object:
        """Fail."""
        raise AssertionError("it was asked")


@pytest.mark.parametrize("view", [view.name for view in CATALOG.feature_views])
def test_the_features_of_the_example_are_portable(view: str) -> None:
    text = LAST_ORDER.sub("", CATALOG.view_sql(CATALOG.view(view)).rstrip())

    assert find_unportable(text) == []


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        ("select a from t asof join u using (k, ts)", "asof join"),
        ("select a from t qualify row_number() over (order by a desc) = 1", "qualify"),
        ("pivot t on k using count(*)", "pivot"),
        ("select * exclude (a) from t", "columns left out"),
        ("select extract(dow from d) as day from t", "extract(dow)"),
        ("select median(a) as m from t", "median()"),
        ("select list(a) as m from t", "lists"),
        ("select list_sort(a) as m from t", "list_sort()"),
        ("select hash(a) as m from t", "hash()"),
        ("select lead(d) over (partition by k order by d) as next from t", "`order by d` puts nulls first"),
        ("select lead(d) over (order by a desc, d rows between 1 preceding and current row) from t", "`order by d`"),
        ("select a from t order by least(a, b) limit 3", "`order by least ( a , b )`"),
    ],
)
def test_what_spark_reads_otherwise_is_named(sql: str, said: str) -> None:
    [found] = find_unportable(sql)

    assert said in found


@pytest.mark.parametrize(
    "sql",
    [
        "select k, lead(d) over (partition by k order by d nulls last, a desc) as next from t",
        "select count(*) filter (where a > 1) as n, sum(a) over (order by d desc rows between 1 preceding and 1 following) from t",
        "select 'order by a' as words -- order by b\nfrom t",
    ],
)
def test_what_both_read_alike_is_let_pass(sql: str) -> None:
    assert find_unportable(sql) == []


def test_parameters_are_spelled_as_spark_takes_them_and_texts_stay() -> None:
    sql = "select '$a' as x, d - $start as n -- $c\nfrom t where d < $end"

    assert spell_for_spark(sql) == "select '$a' as x, d - :start as n -- $c\nfrom t where d < :end"
    assert parameters_of(sql) == {"start", "end"}


def test_a_text_off_the_subset_is_refused_before_the_cluster_is_asked(tmp_path: Path) -> None:
    engine = SparkEngine(cluster=Unreachable(), aside=tmp_path)

    with pytest.raises(RefusedSqlError, match=r"not for Spark, by MLPIPE_ENGINE=spark: median\(\)"):
        engine.select_by_day("select median(a) as m from t", {}, {}, rows=1, keys=["k"], days=1)


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
