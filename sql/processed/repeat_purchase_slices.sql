-- What each feature row is reported under: home region, the channel of the newest order, new or old customer.
-- grain:  customer_id, as_of, as in features
-- inputs: features (customer_features of some days; date is the feature day), orders (interim, up to those days)
with newest as (
    select
        f.customer_id,
        f.date,
        o.channel,
        row_number() over (
            partition by f.customer_id, f.date
            order by o.order_ts desc, o.order_id desc
        ) as place
    from features as f
    inner join orders as o on f.customer_id = o.customer_id and o.date <= f.date and o.date > f.date - 90
)

select
    f.customer_id,
    f.as_of,
    coalesce(f.region, 'unknown') as region,
    coalesce(n.channel, 'unknown') as channel,
    case when f.tenure_days is null then 'unknown' when f.tenure_days < 90 then 'new' else 'old' end as customer
from features as f
left join newest as n on f.customer_id = n.customer_id and f.date = n.date and n.place = 1
order by f.as_of, f.customer_id
