"""Departures from New York, and the planes that made them."""

from datetime import timedelta
from pathlib import Path

from mlpipe_assets.catalog.declarations import Catalog, Entity, FeatureView, Model, Source, Tolerance
from mlpipe_assets.catalog.learners import Learner, Search
from mlpipe_assets_tests.nycflights.contracts import (
    ArrivalDelay,
    ArrivalDelayPredictions,
    Flights,
    LateDeparture,
    PlaneFeatures,
    Planes,
)
from mlpipe_assets_tests.nycflights.prepare import prepare_flights

flights = Source(
    name="flights",
    contract=Flights,
    # The schedule is no part of the key: a later file may correct it. Without origin 24 rows would share a key.
    key=("flight_date", "carrier", "flight", "origin"),
    # The departure, not the schedule: a delay is known when the plane has left, maybe a UTC day after it should have.
    event_time="departed_at",
    dedupe_within=timedelta(days=2),
    tolerance=Tolerance(share=0.01, rows=5),
    time_zone="America/New_York",
    nulls=("", "NA"),
    prepare=prepare_flights,
)

planes = Source(
    name="planes",
    contract=Planes,
    key=("tailnum",),
    empty_days=True,
    nulls=("", "NA"),
    fresh_within=timedelta(days=400),
)

plane = Entity(name="plane", join_keys=("tailnum",))

plane_features = FeatureView(
    name="plane_features",
    entity=plane,
    inputs=("flights", "planes"),
    sql="features/plane_features.sql",
    contract=PlaneFeatures,
    lookback=timedelta(days=30),
)

late_departure = Model(
    name="late_departure",
    view=plane_features,
    inputs=("flights",),
    sql="processed/late_departure.sql",
    contract=LateDeparture,
    horizon=timedelta(days=7),
    embargo=timedelta(days=7),
)

arrival_delay = Model(
    name="arrival_delay",
    task="regression",
    view=plane_features,
    inputs=("flights",),
    sql="processed/arrival_delay.sql",
    contract=ArrivalDelay,
    horizon=timedelta(days=7),
    embargo=timedelta(days=7),
    learner=Learner(
        numeric=(
            *("flights_7d", "flights_30d", "mean_delay_30d", "destinations_30d"),
            *("days_since_last_flight", "seats", "built_year"),
        ),
        missing="median",
        scaling="standard",
        estimator="sklearn.linear_model.HuberRegressor",  # a blizzard shall not pull every plane along
        parameters={"max_iter": 1000},
        search=Search(grid={"alpha": (0.001, 0.1), "epsilon": (1.35, 5.0)}),
        recency="mean_delay_30d",
    ),
    predictions=ArrivalDelayPredictions,
)

CATALOG = Catalog(
    sources=(flights, planes),
    feature_views=(plane_features,),
    models=(late_departure, arrival_delay),
    sql_dir=Path(__file__).parent / "sql",
)
