-- Features of past days, with the channel of the customer's first order in the horizon.
-- grain:  customer_id, as_of, as in features; customers who order in the horizon
-- inputs: features (next_channel_features of the spine days; date is the feature day), orders (interim)
-- params: $horizon integer, days
with placed as (
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
    f.* exclude (date),
    p.channel as label
from features as f
inner join placed as p on f.customer_id = p.customer_id and f.date = p.date and p.place = 1
order by f.as_of, f.customer_id
