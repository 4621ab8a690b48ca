-- What was known of each customer at the end of each day from $start to $end.
-- An order counts from its day until its window ends: it enters every window once and leaves it once, so a range costs
-- one pass over the orders, and a single day only a grouping of its window. Between two changes the totals of a
-- customer stand still, so only days of change are summed. Money is whole cents until the end.
-- A channel counts from an order until 30 days later, or until the next order by it takes over: so each counts once.
-- grain:  customer_id, as_of; customers with an order in the last 90 days
-- inputs: orders, customers (interim; date is the event date)
--         days (each day from $start to $end; customers_snapshot: the newest snapshot at or before it)
-- params: $start, $end date, both included
with placed as (
    select
        customer_id,
        date as day,
        1 as n,
        cast(amount * 100 as bigint) as cents
    from orders
    where date > $start - 90 and date <= $end
),

used as (
    select
        customer_id,
        channel,
        greatest(date, $start) as day,
        max(date) as ordered_on
    from orders
    where date > $start - 30 and date <= $end
    group by customer_id, channel, greatest(date, $start)
),

channels as (
    select
        customer_id,
        day,
        least(
            ordered_on + 30,
            coalesce(lead(day) over (partition by customer_id, channel order by day nulls last), ordered_on + 30)
        ) as until
    from used
),

changes as (
    select
        customer_id,
        greatest(day, $start) as day,
        case when day > $start - 7 then n else 0 end as n_7,
        case when day > $start - 30 then n else 0 end as n_30,
        n as n_90,
        case when day > $start - 7 then cents else 0 end as cents_7,
        case when day > $start - 30 then cents else 0 end as cents_30,
        cents as cents_90,
        0 as channels,
        day as ordered_on
    from placed
    union all
    select customer_id, day + 7, -n, 0, 0, -cents, 0, 0, 0, null
    from placed
    where day + 7 > $start and day + 7 <= $end
    union all
    select customer_id, day + 30, 0, -n, 0, 0, -cents, 0, 0, null
    from placed
    where day + 30 > $start and day + 30 <= $end
    union all
    select customer_id, day + 90, 0, 0, -n, 0, 0, -cents, 0, null
    from placed
    where day + 90 > $start and day + 90 <= $end
    union all
    select customer_id, day, 0, 0, 0, 0, 0, 0, 1, null
    from channels
    union all
    select customer_id, until, 0, 0, 0, 0, 0, 0, -1, null
    from channels
    where until <= $end
),

change_of_day as (
    select
        customer_id,
        day,
        cast(sum(n_7) as integer) as n_7,
        cast(sum(n_30) as integer) as n_30,
        cast(sum(n_90) as integer) as n_90,
        cast(sum(cents_7) as bigint) as cents_7,
        cast(sum(cents_30) as bigint) as cents_30,
        cast(sum(cents_90) as bigint) as cents_90,
        cast(sum(channels) as integer) as channels,
        max(ordered_on) as ordered_on
    from changes
    group by customer_id, day
),

totals as (
    select
        customer_id,
        day,
        coalesce(lead(day) over by_day, $end + 1) as until,
        sum(n_7) over w as n_7,
        sum(n_30) over w as n_30,
        sum(n_90) over w as n_90,
        sum(cents_7) over w as cents_7,
        sum(cents_30) over w as cents_30,
        sum(cents_90) over w as cents_90,
        sum(channels) over w as channels,
        max(ordered_on) over w as ordered_on
    from change_of_day
    window
        by_day as (partition by customer_id order by day nulls last),
        w as (partition by customer_id order by day nulls last rows between unbounded preceding and current row)
)

select
    t.customer_id,
    cast(d.day + 1 as timestamp) as as_of,
    cast(t.n_7 as bigint) as orders_7d,
    cast(t.n_30 as bigint) as orders_30d,
    cast(t.n_90 as bigint) as orders_90d,
    cast(t.cents_7 as double) / 100 as revenue_7d,
    cast(t.cents_30 as double) / 100 as revenue_30d,
    cast(t.cents_90 as double) / 100 as revenue_90d,
    cast(t.cents_30 as double) / 100 / nullif(t.n_30, 0) as avg_order_value_30d,
    cast(d.day - t.ordered_on as bigint) as days_since_last_order,
    cast(t.channels as bigint) as distinct_channels_30d,
    cast(d.day - k.signup_date as bigint) as tenure_days,
    k.age,
    k.region
from totals as t
inner join days as d on d.day >= t.day and d.day < t.until
left join customers as k on t.customer_id = k.customer_id and d.customers_snapshot = k.date
where t.n_90 > 0
order by as_of, t.customer_id
