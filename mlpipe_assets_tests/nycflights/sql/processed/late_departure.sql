-- Plane features of past days, with whether the plane left an hour late or more within the horizon.
-- grain:  tailnum, as_of, as in features
-- inputs: features (plane_features of the spine days; date is the feature day), flights (interim)
-- params: $horizon integer, days
with late_days as (
    select distinct
        tailnum,
        date as late_on
    from flights
    where dep_delay >= 60
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
    exists(
        select 1
        from late_days as l
        where l.tailnum = f.tailnum and l.late_on > f.date and l.late_on <= f.date + $horizon
    ) as label
from features as f
order by f.as_of, f.tailnum
