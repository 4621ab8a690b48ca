-- Customers of past days with the channel of their first order within the horizon.
-- grain:  customer_id, as_of, as in features; customers who order within the horizon
-- inputs: features (next_channel_features of the spine days; date is the feature day), orders (interim)
-- params: $horizon integer, days
with ahead as (
    select
        f.customer_id,
        f.date,
        o.channel,
        row_number() over (
            partition by f.customer_id, f.date
            order by o.order_ts, o.order_id
        ) as place
    from features as f
    inner join orders as o on f.customer_id = o.customer_id and o.date > f.date and o.date <= f.date + $horizon
)

select
    f.customer_id,
    f.channel,
    f.as_of,
    f.orders_30d,
    f.distinct_channels_30d,
    f.age,
    f.region,
    f.channel_orders_7d,
    f.channel_orders_30d,
    f.channel_revenue_30d,
    a.channel as label
from features as f
inner join ahead as a on f.customer_id = a.customer_id and f.date = a.date and a.place = 1
order by f.as_of, f.customer_id
