"""Column lineage read off the SQL, through CTEs, joins, unions, windows and subqueries."""

import pytest

from mlpipe_assets.catalog.contents import CATALOG
from mlpipe_assets.catalog.feature_views import customer_features
from mlpipe_assets.catalog.lineage import column_lineage, columns_read


def lineage(sql: str, *inputs: str) -> dict[str, list[str]]:
    """Output column -> table.column it comes from."""
    return {name: [".".join(origin) for origin in origins] for name, origins in column_lineage(sql, inputs).items()}


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("select a, b + c as d, 1 as one from t", {"a": ["t.a"], "d": ["t.b", "t.c"]}),
        ("with x as (select a as y from t) select y as z from x", {"z": ["t.a"]}),
        ("select sum(t.a) over (partition by t.k order by t.o) as s from t", {"s": ["t.a", "t.k", "t.o"]}),
        ("with x as (select a from t union all select b from u) select a as m from x", {"m": ["t.a", "u.b"]}),
        ("select t.a, v.b from t left join u as v on t.k = v.k", {"a": ["t.a"], "b": ["u.b"]}),
        ("select n from (select count(q) as n from t) as sub", {"n": ["t.q"]}),
        ("with x as (select a from u), y as (select a from t) select y.a from y", {"a": ["t.a"]}),
        ("with x as (select k from u) select b from t", {"b": ["t.b"]}),
        ("select a from elsewhere", {}),
        ("select (select max(b) from u where u.k = t.k) as m from t", {"m": ["u.b"]}),
        ("select a in (select b from u) as x from t", {"x": ["t.a", "u.b"]}),
        ("select exists (select 1 from u where u.k = t.k) as x from t", {"x": ["t.k", "u.k"]}),
        (
            "with x as (select b as c, k from u) select not exists (from x where x.k = t.k and c > 0) as y from t",
            {"y": ["t.k", "u.b", "u.k"]},
        ),
        (
            "select exists (select 1 from t as s where s.k = t.k and exists (select 1 from u where u.b = t.a)) as x from t",
            {"x": ["t.a", "t.k", "u.b"]},
        ),
        ("select (select a from t union all select b from u) as x", {"x": ["t.a", "u.b"]}),
    ],
)
def test_each_output_column_names_the_columns_it_comes_from(sql: str, expected: dict[str, list[str]]) -> None:
    assert lineage(sql, "t", "u") == expected


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("select count(*) as n from t", {}),
        ("with x as (select 1 as n from t) select sum(n) as n from x", {}),
        ("select count(*) as n from (select distinct a, b from t) as x", {"n": ["t.a", "t.b"]}),
        ("select count(*) as n from (select a as k from t union select b from u) as x", {"n": ["t.a", "u.b"]}),
        ("select sum(1) as n from (select max(b) as m from t group by a) as x", {"n": ["t.a"]}),
        ("select count(*) as n from (select a + b as k, max(c) as m from t group by k) as x", {"n": ["t.a", "t.b"]}),
        ("select count(*) as n from (select a, max(c) as m from t group by 1) as x", {"n": ["t.a"]}),
        ("select count(*) as n from (select a, max(c) as m from t group by all) as x", {"n": ["t.a"]}),
        ("select count(*) + max(m) as n from (select max(b) as m from t group by a) as x", {"n": ["t.a", "t.b"]}),
        (
            "with k as (select a from t group by a), x as (select 1 as n from k union all select -1 from k) select sum(n) as n from x",
            {"n": ["t.a"]},
        ),
        (
            "with k as (select a from t group by a), x as (select 0 as n from k union all select b from u) select sum(n) as n from x",
            {"n": ["u.b"]},
        ),
        ("select 1 as one from (select distinct a from t) as x", {}),
        (
            "with recursive x as (select a from t group by a union all select a from x) select count(*) as n from x",
            {"n": ["t.a"]},
        ),
    ],
)
def test_a_count_of_groups_comes_from_their_keys_and_a_count_of_rows_from_nothing(
    sql: str, expected: dict[str, list[str]]
) -> None:
    assert lineage(sql, "t", "u") == expected


def test_customer_features_come_from_the_columns_a_reader_would_name() -> None:
    found = lineage(CATALOG.view_sql(customer_features), *customer_features.inputs)

    assert found["age"] == ["customers.age"]
    assert "orders.amount" in found["revenue_30d"]
    assert "customers.signup_date" in found["tenure_days"]
    assert "orders.channel" in found["distinct_channels_30d"]
    assert "orders.amount" not in found["orders_7d"]
    assert set(customer_features.contract.to_schema().columns) - set(found) == {
        "as_of",
        "orders_90d",
    }  # a partition, a count


@pytest.mark.parametrize(
    ("sql", "read"),
    [
        ("select o.a from orders as o where o.b > 1", {"a", "b"}),
        ("with x as (select a, b from orders) select x.a from x join other on x.b = other.b", {"a", "b"}),
        ("select count(*) as n from orders", set()),
        ("select exists(select 1 from orders as o where o.k = f.k) as yes from features as f", {"k"}),
        ("select * from orders", None),
        ("select o.* from orders as o", None),
        ("select a from orders join other on true", None),
    ],
)
def test_the_columns_a_select_reads_are_those_it_names_anywhere(sql: str, read: set[str] | None) -> None:
    assert columns_read(sql, "orders") == read
