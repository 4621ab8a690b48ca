"""SQL that stays with one entity, and SQL that looks at others: told apart from the text alone."""

import pytest

from mlpipe_assets.catalog.declarations import Entity
from mlpipe_assets.catalog.validation.other_entities import find_other_entities

CUSTOMER = Entity(name="customer", join_keys=("customer_id",))
OWNED = {"customer_id": frozenset({"orders", "customers", "returns"})}
PER_ENTITY = {
    "using the key": ("select customer_id, count(*) from orders join customers using (customer_id) group by all"),
    "a natural join": "select customer_id, count(*) n from orders natural join customers group by 1",
    "the key under another name": (
        "with a as (select customer_id as who, count(*) n from orders group by who) select a.who as "
        "customer_id, n from a join customers c on c.customer_id=a.who"
    ),
    "a lookup by key": (
        "select c.customer_id, (select count(*) from orders o where o.customer_id=c.customer_id and "
        "o.date<=$end) n from customers c"
    ),
    "a list of keys": ("select customer_id, age from customers where customer_id in (select customer_id from orders)"),
    "keys left out": (
        "select customer_id, age from customers where customer_id not in (select customer_id from orders "
        "where channel='web')"
    ),
    "keys of either side": (
        "select coalesce(a.customer_id,b.customer_id) as customer_id, count(*) n from orders a full join "
        "returns b on a.customer_id=b.customer_id group by 1"
    ),
    "a window per key": (
        "select customer_id, row_number() over (partition by customer_id, date order by order_id) from orders"
    ),
    "named windows": (
        "select customer_id, sum(amount) over w from orders window w as (partition by customer_id), z as "
        "(w order by date)"
    ),
    "a table of no entity": (
        "select o.customer_id, max(p.price) from orders o join products p on p.product_id=o.product_id "
        "group by o.customer_id"
    ),
    "an aggregate of a table of no entity": (
        "with m as (select category, avg(price) a from products group by category) select o.customer_id, "
        "max(m.a) from orders o join products p using(product_id) join m using(category) group by "
        "o.customer_id"
    ),
    "recursion": (
        "with recursive r as (select customer_id, date d from orders union all select customer_id, d+1 "
        "from r where d < $end) select customer_id, count(*) from r group by customer_id"
    ),
    "a lateral join by key": (
        "select c.customer_id, l.m from customers c join lateral (select max(amount) m from orders o "
        "where o.customer_id=c.customer_id) l on true"
    ),
    "a filtered count": ("select customer_id, count(*) filter (where channel='web') from orders group by customer_id"),
    "distinct pairs": "select distinct customer_id, channel from orders",
    "one row a key": (
        "select distinct on (customer_id) customer_id, channel from orders order by customer_id, order_ts"
    ),
    "a union": (
        "with u as (select customer_id, amount from orders union all select customer_id, -amount from "
        "returns) select customer_id, sum(amount) from u group by customer_id"
    ),
    "every column": (
        "with u as (select * from orders where amount>0) select u.customer_id, count(*) from u group by u.customer_id"
    ),
    "the days of the run": (
        "select customer_id, count(*) from orders where date > (select min(day) from days) group by customer_id"
    ),
    "a join in the condition": ("select c.customer_id from customers c, orders o where c.customer_id=o.customer_id"),
    "a sum of sums": (
        "select customer_id, sum(sum(amount)) over (partition by customer_id order by date) from orders "
        "group by customer_id, date"
    ),
    "existence by key": (
        "select customer_id from customers c where exists (select 1 from (select customer_id, date from "
        "orders) o where o.customer_id = c.customer_id)"
    ),
    "the key in another type": (
        "select cast(customer_id as varchar) as customer_id, count(*) from orders group by cast(customer_id as varchar)"
    ),
    "a semi join": "select customer_id from customers semi join orders using (customer_id)",
    "a having": (
        "select customer_id, mode(channel) m from orders group by customer_id having count(*)>1 order by customer_id"
    ),
    "keys that are not distinct": (
        "select a.customer_id from orders a join customers b on a.customer_id is not distinct from b.customer_id"
    ),
}
OF_ALL = {
    "a rank among all": (
        "select customer_id, percent_rank() over (partition by as_of order by n) p from (select "
        "customer_id, date as as_of, count(*) n from orders group by customer_id, date) t"
    ),
    "popularity": (
        "with p as (select product_id, count(*) n from orders group by product_id) select o.customer_id, "
        "max(p.n) from orders o join p on p.product_id=o.product_id group by o.customer_id"
    ),
    "who bought the same": (
        "select a.customer_id, count(*) from orders a join orders b on a.product_id=b.product_id group by a.customer_id"
    ),
    "a share of the total": "select customer_id, amount/(select sum(amount) from orders) s from orders",
    "a mean over all": "select customer_id, t.m from orders cross join (select avg(amount) m from orders) t",
    "a list of what others did": (
        "with c as (select distinct channel from orders) select customer_id, count(*) from orders o join "
        "c on c.channel=o.channel group by customer_id"
    ),
    "the top ten": "select customer_id from orders order by amount limit 10",
    "a running total over all": "select customer_id, sum(amount) over (order by date) from orders",
    "a named window over all": (
        "select customer_id, sum(amount) over w from orders window w as (partition by channel)"
    ),
    "whether anybody": (
        "select customer_id, exists(select 1 from orders o where o.product_id=c.favourite) from customers c"
    ),
    "what others did": (
        "select c.customer_id, (select count(*) from orders o where o.channel=c.region) n from customers c"
    ),
    "the key or something else": (
        "select a.customer_id from orders a join customers b on a.customer_id=b.customer_id or a.region=b.region"
    ),
    "the others of a product": (
        "select a.customer_id, count(*) from orders a join orders b on a.product_id=b.product_id and "
        "a.customer_id<>b.customer_id group by 1"
    ),
    "a grand total": "select customer_id, count(*) from orders group by rollup(customer_id)",
    "a mean of counts": (
        "select customer_id, n from (select customer_id, n, avg(n) over () as m from (select "
        "customer_id, count(*) n from orders group by 1) x) y"
    ),
    "no group at all": "select max(customer_id) as customer_id, count(*) n from orders",
    "a union without the key": (
        "with u as (select amount from orders union all select amount from returns) select customer_id, "
        "count(*) from orders, u group by customer_id"
    ),
}


@pytest.mark.parametrize("case", PER_ENTITY)
def test_sql_that_stays_with_its_entity_is_let_through(case: str) -> None:
    assert find_other_entities(PER_ENTITY[case], "a.sql", OWNED, CUSTOMER) == []


@pytest.mark.parametrize("case", OF_ALL)
def test_sql_that_looks_at_other_entities_is_named_as_that(case: str) -> None:
    lines = find_other_entities(OF_ALL[case], "a.sql", OWNED, CUSTOMER)

    assert lines
    assert all(line.startswith("a.sql:1: ") for line in lines)
    assert all("it looks at other customer rows" in line and 'Declare scope="population"' in line for line in lines)


def test_the_line_is_that_of_the_offence() -> None:
    sql = "select\n    customer_id,\n    ntile(10) over (order by amount) as decile\nfrom orders"

    (line,) = find_other_entities(sql, "a.sql", OWNED, CUSTOMER)

    assert line.startswith("a.sql:3: NTILE(10) over (...) is not partitioned by customer_id: ")
