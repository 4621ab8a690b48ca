-- The channel of each customer's newest order, at the end of each day from $start to $end.
-- grain:  customer_id, as_of; customers with an order in the last 90 days
-- inputs: orders (interim; date is the event date), days (each day from $start to $end)
-- params: $start, $end date, both included
with placed as (
    select
        d.day,
        o.customer_id,
        o.channel,
        row_number() over (
            partition by d.day, o.customer_id
            order by o.order_ts desc, o.order_id desc
        ) as place
    from days as d
    inner join orders as o on o.date > d.day - 90 and o.date <= d.day
)

select
    customer_id,
    channel,
    cast(day + 1 as timestamp) as as_of
from placed
where place = 1
order by as_of, customer_id
