-- Plane features of past days, with how late the plane arrived on average within the horizon. Planes that did not fly are left out.
-- grain:  tailnum, as_of; planes that arrived at least once in the horizon
-- inputs: features (plane_features of the spine days; date is the feature day), flights (interim)
-- params: $horizon integer, days
with arrivals as (
    select
        tailnum,
        date as flown_on,
        count(*) as n,
        cast(sum(arr_delay) as bigint) as minutes
    from flights
    where arr_delay is not null
    group by tailnum, date
),

ahead as (
    select
        f.tailnum,
        f.date,
        cast(sum(a.minutes) as double) / cast(sum(a.n) as double) as mean_minutes
    from features as f
    inner join arrivals as a on f.tailnum = a.tailnum and a.flown_on > f.date and a.flown_on <= f.date + $horizon
    group by f.tailnum, f.date
)

select
    f.tailnum,
    f.as_of,
    f.flights_7d,
    f.flights_30d,
    f.delay_minutes_30d,
    f.mean_delay_30d,
    f.destinations_30d,
    f.days_since_last_flight,
    f.seats,
    f.built_year,
    h.mean_minutes as label
from features as f
inner join ahead as h on f.tailnum = h.tailnum and f.date = h.date
order by f.as_of, f.tailnum
