"""What the tables of departures from New York promise."""

from datetime import date
from typing import Annotated

import pandera.polars as pa
import polars as pl

from mlpipe_assets.contracts.sourced import Sourced

Instant = Annotated[pl.Datetime, "us", "UTC"]


class Flights(Sourced):
    """Flights that left New York or should have. Grain: flight_date, carrier, flight, origin.

    A cancelled flight never left: dep_delay, arr_delay and air_time are null, and tailnum is where no plane had been
    assigned yet. arr_delay and air_time are null too for flights that were diverted.
    """

    flight_date: date = pa.Field(description="Day of the timetable, in New York.")
    carrier: str = pa.Field(str_matches=r"^[0-9A-Z]{2}$", description="Airline, by its IATA code.")
    flight: pl.Int64 = pa.Field(ge=1, description="Flight number.")
    origin: str = pa.Field(isin=["EWR", "JFK", "LGA"], description="Where it left.")
    dest: str = pa.Field(str_matches=r"^[A-Z]{3}$", description="Where it went.")
    tailnum: str = pa.Field(nullable=True, str_matches=r"^N[0-9A-Z]{2,5}$|^D[0-9A-Z]{5}$", description="The plane.")
    scheduled_at: Instant = pa.Field(description="When it should have left.")
    departed_at: Instant = pa.Field(description="When it left; when it should have, if it was cancelled.")
    is_cancelled: bool = pa.Field(description="It never left.")
    dep_delay: pl.Int64 = pa.Field(
        nullable=True, in_range={"min_value": -120, "max_value": 1440}, metadata={"unit": "minutes", "drift": 0.1}
    )
    arr_delay: pl.Int64 = pa.Field(
        nullable=True, in_range={"min_value": -120, "max_value": 1440}, metadata={"unit": "minutes", "drift": 0.1}
    )
    air_time: pl.Int64 = pa.Field(nullable=True, ge=1, metadata={"unit": "minutes"})
    distance: pl.Int64 = pa.Field(ge=1, metadata={"unit": "miles"})

    @pa.dataframe_check
    @classmethod
    def a_flight_that_left_has_a_plane(cls, data: pa.PolarsData) -> pl.LazyFrame:
        """Only a cancelled flight may lack the tail number."""
        return data.lazyframe.select(pl.col("tailnum").is_not_null() | pl.col("is_cancelled"))

    @pa.dataframe_check
    @classmethod
    def the_delay_is_what_the_clock_says(cls, data: pa.PolarsData) -> pl.LazyFrame:
        """The stated delay is the time between schedule and departure: it tells a misread clock or day."""
        minutes = (pl.col("departed_at") - pl.col("scheduled_at")).dt.total_minutes()
        return data.lazyframe.select(pl.col("dep_delay").is_null() | (minutes == pl.col("dep_delay")))


class Planes(Sourced):
    """Planes as the register knew them. Grain: tailnum. A null year or speed was not registered."""

    tailnum: str = pa.Field(unique=True, description="The plane.")
    year: pl.Int64 = pa.Field(nullable=True, in_range={"min_value": 1903, "max_value": 2030}, description="Built.")
    manufacturer: str = pa.Field(description="Who built it.")
    engines: pl.Int64 = pa.Field(ge=1)
    seats: pl.Int64 = pa.Field(ge=1, metadata={"drift": 0.1})
    speed: pl.Int64 = pa.Field(nullable=True, ge=1, metadata={"unit": "knots"})


class PlaneFeatures(pa.DataFrameModel):
    """What was known of each plane that left New York in the last 30 days, at the end of a UTC day. Grain: tailnum.

    A flight counts on the day it left, a cancelled one not at all. seats and built_year are null for planes the
    register does not have, built_year also where the register does not know it.
    """

    tailnum: str = pa.Field(unique=True, description="The plane.")
    as_of: Instant = pa.Field(description="End of the day, exclusive.")
    flights_7d: pl.Int64 = pa.Field(ge=0, metadata={"drift": 0.1})
    flights_30d: pl.Int64 = pa.Field(ge=1, metadata={"drift": 0.1})
    delay_minutes_30d: pl.Int64 = pa.Field(description="Sum of dep_delay.", metadata={"unit": "minutes", "drift": 0.1})
    mean_delay_30d: float = pa.Field(description="Per flight.", metadata={"unit": "minutes", "drift": 0.1})
    destinations_30d: pl.Int64 = pa.Field(ge=1, description="Different ones.", metadata={"drift": 0.1})
    days_since_last_flight: pl.Int64 = pa.Field(in_range={"min_value": 0, "max_value": 29}, metadata={"unit": "days"})
    seats: pl.Int64 = pa.Field(nullable=True, ge=1, metadata={"drift": 0.1})
    built_year: pl.Int64 = pa.Field(nullable=True)

    class Config:
        strict = True


class LateDeparture(PlaneFeatures):
    """Plane features of past days with what happened next. Grain: tailnum, as_of.

    label is true when the plane left at least an hour late in the 7 days from as_of on.
    """

    tailnum: str = pa.Field(description="The plane.")
    label: bool = pa.Field(description="Late within the horizon.", metadata={"environments": ["training"]})

    class Config:
        strict = True
        unique = ("tailnum", "as_of")


class ArrivalDelay(PlaneFeatures):
    """Plane features of past days with how late the plane arrived next. Grain: tailnum, as_of; planes that arrived at all.

    label is the mean delay at arrival over the 7 days from as_of on; below 0 the plane was early.
    """

    tailnum: str = pa.Field(description="The plane.")
    label: float = pa.Field(
        description="Within the horizon.", metadata={"unit": "minutes", "environments": ["training"]}
    )

    class Config:
        strict = True
        unique = ("tailnum", "as_of")


class ArrivalDelayPredictions(pa.DataFrameModel):
    """How late each plane will arrive on average, as predicted at the end of a UTC day. Grain: tailnum."""

    tailnum: str = pa.Field(unique=True, description="The plane.")
    as_of: Instant = pa.Field(description="End of the day, exclusive.")
    model_version: str
    feature_version: str
    prediction: float = pa.Field(metadata={"unit": "minutes", "drift": 0.1})

    class Config:
        strict = True
