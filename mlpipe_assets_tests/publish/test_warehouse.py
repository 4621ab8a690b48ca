"""The warehouse face of the lake: every table answers, and errors name the tables there are."""

from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlpipe_assets.catalog.declarations import Catalog
from mlpipe_assets.engines.duckdb_engine import DuckDBEngine
from mlpipe_assets.errors import SqlError
from mlpipe_assets.partitions import days_between
from mlpipe_assets.publish.warehouse import query, tell_gaps
from mlpipe_assets.stages.features.asset import build_features
from mlpipe_assets.store import keys
from mlpipe_assets.store.lake import Lake
from mlpipe_assets.training.versions import register_version
from mlpipe_assets_tests.champions import crowned_lake
from mlpipe_assets_tests.frames import build_training_set
from mlpipe_assets_tests.planted import day, drop_orders, one_a_day, planted_catalog, planted_lake
from mlpipe_assets_tests.training.older_lakes import make_older


def test_every_table_of_the_lake_answers(tmp_path: Path) -> None:
    catalog = planted_catalog(tmp_path / "sql")
    lake = planted_lake(tmp_path / "a lake", catalog, [*one_a_day(1, 9), ("bad", "ann", day(2), "-1", "web")])
    build_features(lake, DuckDBEngine(), catalog, catalog.feature_views[0], days_between(day(1), day(9)))
    build_training_set(lake, DuckDBEngine(), catalog, catalog.models[0], day(9))

    def ask(sql: str) -> list[tuple[object, ...]]:
        return query(lake, DuckDBEngine(), catalog, sql)[1]

    assert ask("select source, count(*) from raw.raw_events group by source order by source") == [
        ("customers", 1),
        ("orders", 10),
    ]
    assert ask("select count(*), min(date), max(date) from stg.orders") == [(9, day(1), day(9))]
    assert ask("select count(*) from stg.customers") == [(1,)]
    assert ask("select date, orders_3d from feats.spend order by date limit 3") == [
        (day(1), 1),
        (day(2), 2),
        (day(3), 3),
    ]
    assert ask("select split, count(*) from training.returning group by split order by split") == [
        ("test", 1),
        ("train", 3),
        ("validation", 1),
    ]
    assert ask("select split from meta.dataset_splits order by split") == [("test",), ("train",), ("validation",)]
    assert ask("select view from meta.feature_registry") == [("spend",)]
    assert ask("select reasons from meta.quarantine") == [("amount: >= 0",)]


DECIDED = "select version, status, reason, test_roc_auc from meta.model_registry order by version"


@pytest.mark.parametrize("older", [False, True])
def test_the_registry_of_models_shows_what_was_decided_also_where_it_once_held_that_itself(
    tmp_path: Path, *, older: bool
) -> None:
    catalog, lake, leading = crowned_lake(tmp_path)
    register_version(lake, replace(leading, version="another"))
    if older:
        make_older(lake, "returning")

    assert query(lake, DuckDBEngine(), catalog, DECIDED)[1] == [
        (leading.version, "champion", "the first", 1.0),
        ("another", "built", "not judged yet", 1.0),
    ]


def test_a_record_of_decisions_that_cannot_be_read_keeps_no_query_from_its_answer(tmp_path: Path) -> None:
    catalog, lake, leading = crowned_lake(tmp_path)
    (lake.root / keys.champion("returning")).write_text("{")
    for golden in (keys.golden("returning"), keys.version("returning", leading.version, "golden.parquet")):
        (lake.root / golden).unlink()

    assert query(lake, DuckDBEngine(), catalog, DECIDED)[1] == [(leading.version, None, None, 1.0)]


def test_events_of_a_delivery_that_was_never_counted_are_not_shown(tmp_path: Path) -> None:
    catalog = planted_catalog(tmp_path / "sql")
    lake = planted_lake(tmp_path / "data", catalog, one_a_day(1, 2))
    (next(iter((lake.root / "meta" / "deliveries" / "orders").glob("*.json")))).unlink()

    assert query(lake, DuckDBEngine(), catalog, "select distinct source from raw.raw_events")[1] == [("customers",)]


def test_a_wrong_query_is_told_the_tables_there_are(tmp_path: Path) -> None:
    catalog = planted_catalog(tmp_path / "sql")
    lake = planted_lake(tmp_path / "data", catalog, one_a_day(1, 1))

    with pytest.raises(SqlError, match=r"Tables: raw\.raw_events, stg\.customers, stg\.orders"):
        query(lake, DuckDBEngine(), catalog, "select * from orders_of_old")


def test_an_empty_lake_says_what_to_do_first(tmp_path: Path) -> None:
    catalog = planted_catalog(tmp_path / "sql")
    lake = Lake(data_dir=str(tmp_path / "none"))

    assert query(lake, DuckDBEngine(), catalog, "select 1 as one") == (["one"], [(1,)])
    with pytest.raises(SqlError, match="none yet: run `mlpipe run` first"):
        query(lake, DuckDBEngine(), catalog, "select * from stg.orders")
    drop_orders(lake, "orders_2026-01-01.csv", one_a_day(1, 1))
    with pytest.raises(SqlError, match="none yet"):
        query(lake, DuckDBEngine(), catalog, "select * from stg.orders")


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[Lake, Catalog]:
    """A lake with two days of orders and their features, in a folder of awkward characters."""
    root = tmp_path_factory.mktemp("x [alt]*?{a,b}'%20ü") / "env=prod"
    root.mkdir()
    catalog = planted_catalog(root / "sql")
    lake = planted_lake(root / "it's a lake", catalog, one_a_day(1, 2))
    build_features(lake, DuckDBEngine(), catalog, catalog.feature_views[0], days_between(day(1), day(2)))
    drifted = pl.DataFrame({"table": ["t"], "column": ["c"], "value": [0.5]})
    lake.commit(lake.stage(lake.path("monitoring/drift", "stg.orders", day(1)), drifted, {}))
    (root / "secret.csv").write_text("word\nhidden\n")
    return lake, catalog


def test_a_data_folder_of_any_characters_answers(built: tuple[Lake, Catalog]) -> None:
    lake, catalog = built

    names, rows = query(lake, DuckDBEngine(), catalog, "from stg.orders order by date")

    assert [row[names.index("date")] for row in rows] == [day(1), day(2)]
    assert not {"env", "'env"} & set(names)
    assert query(lake, DuckDBEngine(), catalog, "select count(*) from feats.spend")[1] == [(2,)]
    assert query(lake, DuckDBEngine(), catalog, "select count(*) from raw.raw_events where source = 'orders'")[1] == [
        (2,)
    ]


@pytest.mark.parametrize(
    ("own", "short"),
    [("interim.orders", "stg.orders"), ("features.spend", "feats.spend"), ("Interim.Orders", '"stg"."orders"')],
)
def test_a_table_answers_by_its_asset_name_too(built: tuple[Lake, Catalog], own: str, short: str) -> None:
    lake, catalog = built

    found = [query(lake, DuckDBEngine(), catalog, f"from {name} order by all") for name in (own, short)]

    assert found[0] == found[1]


def test_the_events_of_one_source_answer_by_the_name_of_its_asset(built: tuple[Lake, Catalog]) -> None:
    lake, catalog = built

    assert query(lake, DuckDBEngine(), catalog, "select distinct source from raw.orders")[1] == [("orders",)]


@pytest.mark.parametrize("table", ["raw.raw_events", "raw.orders", "stg.orders", "interim.orders"])
def test_the_day_of_a_row_is_called_date_in_every_table(built: tuple[Lake, Catalog], table: str) -> None:
    lake, catalog = built

    days = query(
        lake, DuckDBEngine(), catalog, f"select distinct date from {table} where date >= date '2026-01-01' order by 1"
    )

    assert days == (["date"], [(day(1),), (day(2),)])


def test_no_column_of_our_own_tables_has_a_name_that_sql_reserves(built: tuple[Lake, Catalog]) -> None:
    lake, catalog = built

    assert query(lake, DuckDBEngine(), catalog, "select table_name, column_name from monitoring.drift") == (
        ["table_name", "column_name"],
        [("t", "c")],
    )
    assert (
        query(
            lake,
            DuckDBEngine(),
            catalog,
            "select column_name from duckdb_columns() join duckdb_keywords() on keyword_name = column_name "
            "where not internal and keyword_category = 'reserved'",
        )[1]
        == []
    )


@pytest.mark.parametrize("name", ["sequences", "pg_table", "duckdb_table", "information_schema.table"])
def test_no_table_of_the_engine_is_suggested(built: tuple[Lake, Catalog], name: str) -> None:
    lake, catalog = built

    with pytest.raises(SqlError, match="Tables: ") as caught:
        query(lake, DuckDBEngine(), catalog, f"select * from {name}")

    assert "Did you mean" not in str(caught.value)


def test_a_table_of_ours_is_suggested(built: tuple[Lake, Catalog]) -> None:
    lake, catalog = built

    with pytest.raises(SqlError, match=r'Did you mean "([a-z]+\.)?orders"'):
        query(lake, DuckDBEngine(), catalog, "select * from stg.ordrs")


@pytest.mark.parametrize("name", ["processed.returning", "training.returning", 'training . "returning"'])
def test_a_declared_table_without_partitions_says_so(built: tuple[Lake, Catalog], name: str) -> None:
    lake, catalog = built

    with pytest.raises(SqlError, match=r"^training\.returning: declared, and no partition yet") as caught:
        query(lake, DuckDBEngine(), catalog, f"select * from {name}")

    assert "Did you mean" not in str(caught.value)


@pytest.mark.parametrize(
    "sql",
    [
        "select 1",
        "from stg.orders",
        "values (1)",
        "table stg.orders",
        "with a as (select 1) select * from a",
        "-- a comment\nselect 1 /* another */;",
        "describe stg.orders",
        "summarize stg.orders",
        "show all tables",
        "explain select * from stg.orders",
        "/* how */ explain analyze select count(*) from stg.orders",
        "explain (format json) select 1",
        "explain (analyze, format json) (select 1)",
        "pivot stg.orders on customer_id using count(*)",
        "select 'copy (select 1) to x'",
    ],
)
def test_what_reads_is_answered(built: tuple[Lake, Catalog], sql: str) -> None:
    lake, catalog = built

    assert query(lake, DuckDBEngine(), catalog, sql)[1]


@pytest.mark.parametrize(
    "sql",
    [
        "copy (select 42) to '{out}'",
        "/* x */ explain analyze copy (select 42) to '{out}'",
        "explain --\n analyze copy (select 42) to '{out}'",
        "explain (analyze) copy (select 42) to '{out}'",
        "explain copy (select 42) to '{out}'",
        "explain (analyze) create table t as select 1",
        "export database '{out}'",
        "attach '{out}'",
        "create table t as select 1",
        "create view v as select 1",
        "set threads = 1",
        "reset threads",
        "pragma enable_profiling",
        "call pragma_version()",
        "install httpfs",
        "load httpfs",
        "use main",
        "prepare p as select 1",
        "checkpoint",
        "vacuum",
        "begin",
        "with gone as (delete from stg.orders returning *) select * from gone",
        "select * from (with gone as (insert into stg.orders values (1) returning *) select * from gone)",
        "explain analyze with gone as (delete from stg.orders returning *) select * from gone",
        "select * from query('copy (select 42) to ''{out}''')",
        "select 1; copy (select 42) to '{out}'",
    ],
)
def test_what_writes_is_refused_however_it_is_wrapped(built: tuple[Lake, Catalog], tmp_path: Path, sql: str) -> None:
    lake, catalog = built
    target = tmp_path / "out"

    with pytest.raises(SqlError):
        query(lake, DuckDBEngine(), catalog, sql.replace("{out}", str(target)))

    assert not target.exists()


@pytest.mark.parametrize(
    "sql",
    [
        "select * from read_csv('{secret}')",
        "select * from '{secret}'",
        'select * from "{secret}"',
        "select * from read_text('{secret}')",
        "select * from read_blob('{secret}')",
        "select * from sniff_csv('{secret}')",
        "select * from glob('{secret}')",
        "select * from query('select * from read_text(''{secret}'')')",
        "select * from query_table(['{secret}'])",
        "select * from parquet_metadata('{secret}')",
        "explain analyze select * from read_text('{secret}')",
        "pivot read_csv('{secret}') on word using count(*)",
        "select (select content from read_text('{secret}'))",
        "select * from read_text('{inside}')",
        "select * from read_json('{inside}')",
        "select * from 'http://127.0.0.1:9/x.parquet'",
        "select getenv('HOME')",
        "select * from catalog",
        "select * from tables",
    ],
)
def test_no_file_but_those_of_the_tables_is_read(
    built: tuple[Lake, Catalog], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sql: str
) -> None:
    lake, catalog = built
    secret = tmp_path / "secret.csv"
    secret.write_text("word\nhidden\n")
    inside = next(lake.root.glob("meta/deliveries/orders/*.json"))
    monkeypatch.chdir(tmp_path)

    with pytest.raises(SqlError):
        query(lake, DuckDBEngine(), catalog, sql.replace("{secret}", str(secret)).replace("{inside}", str(inside)))


def tree(folder: Path) -> dict[str, tuple[int, int]]:
    """Size and time of every file."""
    return {str(p): (p.stat().st_size, p.stat().st_mtime_ns) for p in folder.rglob("*") if p.is_file()}


PIECES = st.sampled_from(
    [
        *(
            "select",
            "from",
            "explain",
            "analyze",
            "copy",
            "to",
            "(",
            ")",
            ";",
            "--",
            "/*",
            "*/",
            "\n",
            "'",
            '"',
            ",",
            "*",
        ),
        *(
            "with x as",
            "insert into",
            "delete",
            "returning *",
            "values (1)",
            "pivot",
            "describe",
            "set",
            "pragma",
            "attach",
        ),
        *(
            "stg.orders",
            "read_text",
            "glob",
            "query",
            "'out.csv'",
            "'secret.csv'",
            "'*'",
            "$1",
            "?",
            "::date",
            "ü",
            "\x00",
        ),
    ]
)


ANY_TEXT = st.one_of(st.lists(PIECES, max_size=12).map(" ".join), st.text(max_size=40))


@settings(max_examples=40, deadline=None, derandomize=True)
@given(sql=ANY_TEXT)
def test_whatever_is_asked_nothing_is_written_and_no_other_file_is_read(built: tuple[Lake, Catalog], sql: str) -> None:
    expect_untouched(built, sql)


@pytest.mark.fuzz
@settings(max_examples=600, deadline=None)
@given(sql=ANY_TEXT)
def test_whatever_is_asked_at_length_nothing_is_written_and_no_other_file_is_read(
    built: tuple[Lake, Catalog], sql: str
) -> None:
    expect_untouched(built, sql)


def expect_untouched(built: tuple[Lake, Catalog], sql: str) -> None:
    lake, catalog = built
    before = tree(lake.root.parent)

    with suppress(SqlError):  # any other error fails the test
        assert "hidden" not in str(query(lake, DuckDBEngine(), catalog, sql)[1])
    assert tree(lake.root.parent) == before


def test_days_that_a_table_lacks_are_told_to_who_asks_for_it(tmp_path: Path) -> None:
    catalog = planted_catalog(tmp_path / "sql")
    lake = planted_lake(tmp_path / "data", catalog, one_a_day(1, 7))
    asked = "select count(*) from stg.orders join features.spend using (date)"
    assert tell_gaps(lake, catalog, asked) == []
    for missing in (3, 4, 6):
        lake.remove(lake.path("interim", "orders", day(missing)))

    assert tell_gaps(lake, catalog, asked) == [
        "stg.orders has no 2026-01-03 to 2026-01-04, 2026-01-06: `mlpipe status` says why. What is read of it is without them."
    ]
    assert tell_gaps(lake, catalog, "select count(*) from feats.spend") == []
