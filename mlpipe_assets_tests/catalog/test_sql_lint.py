"""What the lint refuses in a SQL file, with its line, and what it lets through."""

import pytest

from mlpipe_assets.catalog.contents import CATALOG
from mlpipe_assets.catalog.validation.sql_lint import lint_model, lint_sql, lint_view
from mlpipe_assets.catalog.versions import sql_digest
from mlpipe_assets.errors import SqlError


@pytest.mark.parametrize(
    "clock",
    [
        *("now()", "NOW ( )", "current_date", "current_timestamp", "localtimestamp", "today()", "age(ts)", "age((ts))"),
        *("random()", "uuid()", "gen_random_uuid()", "get_current_time()", "txid_current()", "nextval('s')", '"now"()'),
    ],
)
def test_the_clock_and_chance_are_named_with_their_line(clock: str) -> None:
    (line,) = lint_sql(f"-- now()\nselect\n    a,\n    {clock} as b\nfrom t", "a.sql", ["t"])

    assert line.startswith("a.sql:4: calls ")


@pytest.mark.parametrize(
    "harmless",
    [
        *(
            "renowned",
            "today_count",
            "'now()'",
            "t.today",
            '"current_date"',
            "age(ts, born)",
            "age(date_trunc('day', ts), born)",
        ),
        *("t.age", "max(t.age)", "coalesce(now_count, 0)", "sample"),
    ],
)
def test_what_only_looks_like_the_clock_is_no_offence(harmless: str) -> None:
    assert lint_sql(f"select {harmless} as b -- not now()\nfrom t", "a.sql", ["t"]) == []


@pytest.mark.parametrize(
    "sampled", ["t using sample 10%", "t tablesample reservoir(20 rows)", "(select * from t using sample 5) as s"]
)
def test_a_sample_is_refused(sampled: str) -> None:
    assert lint_sql(f"select a\nfrom {sampled}", "a.sql", ["t"]) == [
        "a.sql:2: takes a sample, which is another one each time"
    ]


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        ("select row_number() over () as n from t", "row_number has no order by"),
        ("select row_number() over (partition by k) as n from t", "row_number has no order by"),
        ("select lag(a) over w as n from t window w as (partition by k)", "lag has no order by"),
        ("select first_value(a) over (partition by k) as n from t", "first_value has no order by"),
        ("select a from t limit 3", "limit has no order by"),
    ],
)
def test_an_order_left_to_chance_is_refused(sql: str, said: str) -> None:
    assert lint_sql(sql, "a.sql", ["t"]) == [f"a.sql:1: {said}, so chance decides"]


@pytest.mark.parametrize(
    "sql",
    [
        "select row_number() over (partition by k order by a) as n from t",
        "select lag(a) over w as n from t window w as (partition by k order by a)",
        "select sum(a) over (partition by k) as n from t",
        "select a from t order by a limit 3",
    ],
)
def test_an_order_that_is_named_is_fine(sql: str) -> None:
    assert lint_sql(sql, "a.sql", ["t"]) == []


def test_a_word_of_one_engine_only_is_named() -> None:
    assert lint_sql("select unnest(x) as y from t", "a.sql", ["t"]) == [
        "a.sql:1: uses unnest, which not every engine reads alike"
    ]


@pytest.mark.parametrize(
    "table", ["'/data/interim/orders/date=2026-01-09/part.parquet'", "read_parquet('x')", "feats.spend", "payments"]
)
def test_a_table_that_was_not_handed_over_is_refused(table: str) -> None:
    lines = lint_sql(
        f"with own as (select 1 as a) select a from own union all select a from {table}", "a.sql", ["orders", "days"]
    )

    assert "is not among its inputs (orders, days)" in " ".join(lines)


def test_sql_that_does_not_parse_is_named_with_file_and_line() -> None:
    with pytest.raises(SqlError, match=r"^a\.sql:3: does not parse: "):
        sql_digest("select a\nfrom t\nwhere (a > 1", "a.sql")


def test_the_sql_of_the_built_in_catalog_keeps_the_rules() -> None:
    assert [line for view in CATALOG.feature_views for line in lint_view(CATALOG, view)] == []
    assert [line for model in CATALOG.models for line in lint_model(CATALOG, model)] == []
