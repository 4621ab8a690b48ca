-- Customer features of past days, with whether the customer ordered again within the horizon.
-- grain:  customer_id, as_of, as in features
-- inputs: features (customer_features of the spine days; date is the feature day), orders (interim)
-- params: $horizon integer, days
with order_days as (
    select distinct customer_id, date as day
    from orders
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
    exists(
        select 1
        from order_days as o
        where o.customer_id = f.customer_id and o.day > f.date and o.day <= f.date + $horizon
    ) as label
from features as f
order by f.as_of, f.customer_id
