-- The channel of each customer's newest order, at the end of each day from $start to $end: whom the next channel is asked of.
-- An order says where a customer is from its day until the next day with one, for 90 days at most.
-- grain:  customer_id, as_of; customers with an order in the last 90 days
-- inputs: orders (interim; date is the event date), days (each day from $start to $end)
-- params: $start, $end date, both included
with placed as (
    select
        customer_id,
        channel,
        date as day,
        row_number() over (
            partition by customer_id, date
            order by order_ts desc, order_id desc
        ) as place
    from orders
    where date > $start - 90 and date <= $end
),

newest as (
    select
        customer_id,
        channel,
        day,
        lead(day) over (
            partition by customer_id
            order by day nulls last
        ) as next_day
    from placed
    where place = 1
)

select
    n.customer_id,
    n.channel,
    cast(d.day + 1 as timestamp) as as_of
from newest as n
inner join days as d on d.day >= n.day and d.day < n.day + 90 and d.day < coalesce(n.next_day, n.day + 90)
order by as_of, n.customer_id
