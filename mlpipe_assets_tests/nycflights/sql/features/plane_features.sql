-- What was known of each plane at the end of each day from $start to $end.
-- grain:  tailnum, as_of; planes that left New York in the last 30 days
-- inputs: flights, planes (interim; date is the UTC day of departure)
--         days (each day from $start to $end; planes_snapshot: the newest register at or before it)
-- params: $start, $end date, both included
with daily as (
    select
        tailnum,
        dest,
        date as flown_on,
        count(*) as n,
        sum(dep_delay) as delay
    from flights
    where not is_cancelled and date > $start - 30 and date <= $end
    group by tailnum, dest, date
),

windows as (
    select
        d.day as as_of_day,
        d.planes_snapshot,
        f.tailnum,
        cast(sum(case when f.flown_on > d.day - 7 then f.n else 0 end) as bigint) as flights_7d,
        cast(sum(f.n) as bigint) as flights_30d,
        cast(sum(f.delay) as bigint) as delay_minutes_30d,
        count(distinct f.dest) as destinations_30d,
        max(f.flown_on) as last_flown_on
    from daily as f
    inner join days as d on f.flown_on > d.day - 30 and f.flown_on <= d.day
    group by d.day, d.planes_snapshot, f.tailnum
)

select
    w.tailnum,
    w.flights_7d,
    w.flights_30d,
    w.delay_minutes_30d,
    w.destinations_30d,
    p.seats,
    p.year as built_year,
    cast(w.as_of_day + 1 as timestamp) as as_of,
    cast(w.as_of_day - w.last_flown_on as bigint) as days_since_last_flight,
    cast(w.delay_minutes_30d as double) / w.flights_30d as mean_delay_30d
from windows as w
left join planes as p on w.tailnum = p.tailnum and w.planes_snapshot = p.date
order by as_of, w.tailnum
