"""The yardstick: the pipeline's outputs by one bare DuckDB script, all days at once, with nothing around it.

No orchestration, no checks, no reports, no atomic writes, and nothing can be resumed: what is left is the work itself.
`python -m mlpipe_assets_tests.benchmarks.yardstick RAW OUT SPLITS` reads RAW/orders/orders_YYYY-MM-DD.csv and
RAW/customers/customers.csv, writes below OUT and prints seconds per step as JSON. It shares no SQL with the project, so
that equal results mean something.
"""

import json
import sys
import time
from datetime import date
from pathlib import Path

import duckdb

_ARRIVED = """
create temp table arrived as
select
    * exclude filename, filename as source_file, known_at, coalesce(cast(try_cast(order_ts as timestamp) as date), known_at) as date
from (
    select *, cast(regexp_extract(filename, '(\\d{4}-\\d\\d-\\d\\d)\\.csv$', 1) as date) as known_at
    from read_csv($files, all_varchar = true, filename = true, header = true)
)
"""

_EVENTS = """
copy (
    select
        to_json(struct_pack(order_id, customer_id, order_ts, amount, quantity, product_id, channel, region)) as payload,
        source_file, known_at, date
    from arrived
) to '{out}/events' (format parquet, partition_by (date), compression zstd)
"""

_TYPED = """
create temp table typed as
select
    *,
    coalesce(
        order_id is null or customer_id is null or order_ts is null or amount is null or amount < 0
        or quantity not between 1 and 100 or not regexp_full_match(product_id, 'P[0-9]{5}')
        or channel not in ('web', 'app', 'store', 'partner') or region not in ('north', 'south', 'east', 'west', 'islands'),
        true
    ) as refused
from (
    select
        order_id, customer_id, try_cast(order_ts as timestamp) as order_ts, try_cast(amount as decimal(18, 2)) as amount,
        try_cast(quantity as integer) as quantity, product_id, channel, region, known_at, date
    from arrived
)
"""

# Keys that come once need no ranking: grouping all and ranking the few that repeat is several times faster.
_ORDERS = """
create temp table orders as
with repeated as (select order_id from typed where not refused group by order_id having count(*) > 1)
select * exclude refused from typed where not refused and order_id not in (from repeated)
union all
select * exclude (refused, place)
from (
    select *, row_number() over (partition by order_id order by known_at desc) as place
    from typed
    where not refused and order_id in (from repeated)
)
where place = 1
"""

# A day's orders enter each window once and leave it once; between two changes a customer's totals stand still. Counts of
# channels, and of windows, share a number, 16 and 20 bits each.
_FEATURES = """
copy (
    with daily as (
        select
            customer_id,
            date as day,
            count(*) as n,
            cast(sum(cast(amount * 100 as bigint)) as bigint) as cents,
            cast(sum(case channel when 'web' then 1 when 'app' then 65536 when 'store' then 4294967296 else 281474976710656 end)
                as bigint) as channels
        from orders
        group by all
    ),
    changes as (
        select
            customer_id,
            day + after as day,
            cast(sum(n * counts) as bigint) as counts,
            cast(sum(cents * of_7) as bigint) as cents_7,
            cast(sum(cents * of_30) as bigint) as cents_30,
            cast(sum(cents * of_90) as bigint) as cents_90,
            cast(sum(channels * of_30) as bigint) as channels,
            max(case when after = 0 then day end) as ordered_on
        from daily
        cross join (
            values (0, 1, 1, 1, 1099512676353), (7, -1, 0, 0, -1), (30, 0, -1, 0, -1048576), (90, 0, 0, -1, -1099511627776)
        ) as windows (after, of_7, of_30, of_90, counts)
        where day + after <= $last
        group by customer_id, day + after
    ),
    totals as (
        select
            customer_id,
            day,
            coalesce(lead(day) over customer, $last + 1) as until,
            cast(sum(counts) over customer as bigint) as counts,
            cast(sum(cents_7) over customer as bigint) as cents_7,
            cast(sum(cents_30) over customer as bigint) as cents_30,
            cast(sum(cents_90) over customer as bigint) as cents_90,
            cast(sum(channels) over customer as bigint) as channels,
            max(ordered_on) over customer as ordered_on
        from changes
        window customer as (partition by customer_id order by day)
    ),
    spread as (
        select
            totals.*,
            counts & 1048575 as orders_7d,
            (counts >> 20) & 1048575 as orders_30d,
            counts >> 40 as orders_90d,
            cast((channels & 65535) > 0 as bigint) + cast((channels >> 16) & 65535 > 0 as bigint)
            + cast((channels >> 32) & 65535 > 0 as bigint) + cast(channels >> 48 > 0 as bigint) as distinct_channels_30d,
            cast(signup_date as date) as signup_date,
            cast(age as bigint) as age,
            region
        from totals
        left join customers using (customer_id)
        where counts >> 40 > 0
    )
    select
        customer_id,
        cast(date + 1 as timestamp) as as_of,
        orders_7d,
        orders_30d,
        orders_90d,
        cents_7 / 100 as revenue_7d,
        cents_30 / 100 as revenue_30d,
        cents_90 / 100 as revenue_90d,
        cents_30 / 100 / nullif(orders_30d, 0) as avg_order_value_30d,
        date - ordered_on as days_since_last_order,
        distinct_channels_30d,
        date - signup_date as tenure_days,
        age,
        region,
        date
    from (select *, cast(unnest(generate_series(day, until - 1, interval 1 day)) as date) as date from spread)
) to '{out}/features' (format parquet, partition_by (date))
"""

_LABELLED = """
copy (
    select
        f.* exclude date,
        exists(
            from (select distinct customer_id, date as day from orders) as o
            where o.customer_id = f.customer_id and o.day > f.date and o.day <= f.date + 28
        ) as label
    from read_parquet($files, hive_partitioning = true, hive_types = {{'date': date}}) as f
) to '{out}/processed/{name}.parquet' (format parquet)
"""


def main() -> None:
    """Read RAW, write OUT, print what it took."""
    raw, out, splits = sys.argv[1], Path(sys.argv[2]), json.loads(sys.argv[3])
    (out / "processed").mkdir(parents=True)
    seconds: dict[str, float] = {}
    began = before = time.perf_counter()
    connection = duckdb.connect(config={"memory_limit": "4GB", "temp_directory": f"{out}/spill"})
    connection.execute("set preserve_insertion_order = false")

    def step(name: str, *statements: tuple[str, dict[str, object]]) -> None:
        nonlocal before
        for statement, parameters in statements:
            connection.execute(statement, parameters or None)
        seconds[name] = time.perf_counter() - before
        before = time.perf_counter()

    step("events", (_ARRIVED, {"files": f"{raw}/orders/*.csv"}), (_EVENTS.format(out=out), {}))
    step(
        "interim",
        (_TYPED, {}),
        (f"copy (from typed where refused) to '{out}/quarantine.parquet' (format parquet)", {}),
        (_ORDERS, {}),
        (f"copy (from orders) to '{out}/interim' (format parquet, partition_by (date))", {}),
    )
    last = connection.execute("select max(date) from orders").fetchall()[0][0]
    customers = f"create temp table customers as from read_csv('{raw}/customers/customers.csv', all_varchar = true)"
    step("features", (customers, {}), (_FEATURES.format(out=out), {"last": last}))
    step("processed", *(_split(out, name, days) for name, days in splits.items() if days))
    print(json.dumps({"seconds": time.perf_counter() - began, "steps": seconds}))


def _split(out: Path, name: str, days: list[date]) -> tuple[str, dict[str, object]]:
    files = [f"{file}" for day in days for file in sorted((out / "features" / f"date={day}").glob("*.parquet"))]
    return _LABELLED.format(out=out, name=name), {"files": files}


if __name__ == "__main__":
    main()
