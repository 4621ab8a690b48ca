-- Customer features of past days, with what the customer spent within the horizon. Money is whole cents until the end.
-- grain:  customer_id, as_of, as in features
-- inputs: features (customer_features of the spine days; date is the feature day), orders (interim)
-- params: $horizon integer, days
with spent as (
    select
        customer_id,
        date as day,
        cast(sum(cast(amount * 100 as bigint)) as bigint) as cents
    from orders
    group by customer_id, date
),

ahead as (
    select
        f.customer_id,
        f.date,
        cast(sum(s.cents) as bigint) as cents
    from features as f
    inner join spent as s on f.customer_id = s.customer_id and s.day > f.date and s.day <= f.date + $horizon
    group by f.customer_id, f.date
)

select
    f.customer_id,
    f.as_of,
    f.orders_7d,
    f.orders_30d,
    f.orders_90d,
    f.revenue_7d,
    f.revenue_30d,
    f.revenue_90d,
    f.avg_order_value_30d,
    f.days_since_last_order,
    f.distinct_channels_30d,
    f.tenure_days,
    f.age,
    f.region,
    coalesce(a.cents, 0) / 100.0 as label
from features as f
left join ahead as a on f.customer_id = a.customer_id and f.date = a.date
order by f.as_of, f.customer_id
