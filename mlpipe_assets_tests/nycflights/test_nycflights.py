"""Real flights through the whole pipeline, against plain pandas facts taken straight from the published files."""

import io
import json
from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import polars as pl
import pytest

from mlpipe_assets_tests.nycflights.published import WHOLE_YEAR, drop, mlpipe, published, published_flights, run_all

pytestmark = [pytest.mark.slow, pytest.mark.long]


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    """January and February, one file a day, run twice; and what the runs, and a look at the partitions between them, said."""
    data = tmp_path_factory.mktemp("winter") / "data"
    drop(data, published_flights([1, 2]))
    return data, mlpipe(data, "run", "status --json", "run")


@pytest.fixture(scope="module")
def winter(told: tuple[Path, list[str]]) -> Path:
    """The data folder of these two months."""
    return told[0]


def departures(months: Sequence[int] = range(1, 13)) -> pd.DataFrame:
    """Flights with the UTC day of departure, worked out without the clock readings and without a time zone.

    The published `time_hour` is the scheduled hour in UTC; minute and delay add to it.
    """
    flights = published_flights(months).replace("NA", None)
    flights["delay"] = flights["dep_delay"].astype(float)
    minutes = flights["minute"].astype(int) + flights["delay"].fillna(0)
    left = pd.to_datetime(flights["time_hour"]) + pd.to_timedelta(minutes, unit="m")
    flights["left_on"] = left.dt.date
    return flights


def partitions_of(said: str) -> pd.DataFrame:
    """The partitions that `mlpipe status --json` printed."""
    document: dict[str, Any] = json.loads(said)
    assert document["problems"] == []
    assert document["behind"] == {}
    return pd.DataFrame(document["partitions"])


def assert_every_flight_is_accounted_for(partitions: pd.DataFrame, months: Sequence[int]) -> None:
    expected = departures(months)["left_on"].value_counts().sort_index()
    for stage in ("raw", "interim"):
        found = partitions[partitions["table"] == f"{stage}/flights"]
        assert dict(zip(found["date"], found["received"], strict=True)) == {f"{d}": n for d, n in expected.items()}
        assert found["received"].sum() == found["accepted"].sum() == expected.sum()
        assert found["quarantined"].sum() == found["duplicates"].sum() == 0
    planes = partitions[partitions["table"] == "interim/planes"]
    assert planes[["date", "accepted"]].to_numpy().tolist() == [["2013-01-01", 3322]]


def facts_of(flights: pd.DataFrame, planes: pd.DataFrame, day: date, tailnum: str) -> dict[str, object]:
    own = flights[(flights["tailnum"] == tailnum) & flights["delay"].notna()]
    age = own["left_on"].map(lambda left: (day - left).days)
    month, week = own[(age >= 0) & (age < 30)], own[(age >= 0) & (age < 7)]
    known = planes[planes["tailnum"] == tailnum]
    seats, built = ([int(value) for value in known[name].dropna()] for name in ("seats", "year"))
    return {
        "tailnum": tailnum,
        "flights_7d": len(week),
        "flights_30d": len(month),
        "delay_minutes_30d": int(month["delay"].sum()),
        "mean_delay_30d": month["delay"].sum() / len(month),
        "destinations_30d": month["dest"].nunique(),
        "days_since_last_flight": int(age[age >= 0].min()),
        "seats": seats[0] if seats else None,
        "built_year": built[0] if built else None,
    }


def assert_features_are_the_facts(
    data: Path, months: Sequence[int], days: Sequence[date], *, planes_a_day: int
) -> None:
    flights = departures(months)
    planes = pd.read_csv(io.BytesIO(published("planes.csv")))
    for day in days:
        rows = pl.read_parquet(
            data / "features" / "plane_features" / f"date={day}" / "part.parquet", hive_partitioning=False
        )
        flown = flights[
            flights["delay"].notna() & (flights["left_on"] <= day) & (flights["left_on"] > day - timedelta(days=30))
        ]
        assert set(rows["tailnum"]) == set(flown["tailnum"])
        assert set(rows["as_of"].dt.to_string("iso:strict")) == {f"{day + timedelta(days=1)}T00:00:00.000000+00:00"}
        sample = rows.drop("as_of").sample(planes_a_day, seed=7)
        assert sample.to_dicts() == [facts_of(flights, planes, day, tailnum) for tailnum in sample["tailnum"]]


def test_every_flight_is_accounted_for_under_the_utc_day_it_left(told: tuple[Path, list[str]]) -> None:
    assert_every_flight_is_accounted_for(partitions_of(told[1][1]), [1, 2])


def test_features_are_the_facts(winter: Path) -> None:
    # The first and last day, a day whose window is cut by the start, one after a blizzard, and one in between.
    days = [date(2013, 1, 1), date(2013, 1, 14), date(2013, 2, 10), date(2013, 2, 20), date(2013, 3, 1)]
    assert_features_are_the_facts(winter, [1, 2], days, planes_a_day=40)


def test_a_cancelled_flight_may_lack_its_plane(winter: Path) -> None:
    blizzard = pl.read_parquet(
        winter / "interim" / "flights" / "date=2013-02-09" / "part.parquet", hive_partitioning=False
    )
    without = blizzard.filter(pl.col("tailnum").is_null())
    flights = departures([2])
    assert without.height == (flights["tailnum"].isna() & (flights["left_on"] == date(2013, 2, 9))).sum() > 100
    assert without["is_cancelled"].all()


def test_labels_are_the_facts_and_no_split_sees_another(winter: Path) -> None:
    flights = departures([1, 2])
    late = flights[flights["delay"] >= 60].groupby("tailnum")["left_on"].apply(set).to_dict()
    folder = winter / "processed" / "late_departure" / "date=2013-03-01"
    last = date.min
    for split in ("train", "validation", "test"):
        rows = pl.read_parquet(folder / f"{split}.parquet", hive_partitioning=False)
        days = [as_of.date() for as_of in rows["as_of"]]
        assert min(days) >= last
        expected = [
            any(day + timedelta(days=n) in late.get(tailnum, ()) for n in range(7))
            for day, tailnum in zip(days, rows["tailnum"], strict=True)
        ]
        assert rows["label"].to_list() == expected
        last = max(days) + timedelta(days=7)
    assert last <= date(2013, 3, 2)


def test_the_mean_delay_at_arrival_is_the_fact_and_the_model_of_it_beats_what_looks_at_nothing(winter: Path) -> None:
    flights = departures([1, 2])
    flights["arrived"] = flights["arr_delay"].astype(float)
    landed = flights[flights["arrived"].notna()]
    train = pl.read_parquet(
        winter / "processed" / "arrival_delay" / "date=2013-03-01" / "train.parquet", hive_partitioning=False
    )
    assert train.height > 1000
    for row in train.sample(40, seed=7).to_dicts():
        ahead = landed["left_on"].map(lambda left, day=row["as_of"].date(): (left - day).days)
        own = landed[(landed["tailnum"] == row["tailnum"]) & (ahead >= 0) & (ahead < 7)]
        assert row["label"] == pytest.approx(own["arrived"].mean())
    (card,) = (winter / "models" / "arrival_delay").glob("2013-*/card.json")
    facts = json.loads(card.read_text())
    assert len(facts["search"]["tried"]) == 4
    rmse = {"model": facts["metrics"]["model"]["test"]["rmse"]}
    rmse |= {name: found["test"]["rmse"] for name, found in facts["metrics"]["baselines"].items()}
    assert rmse["model"] < min(rmse["mean"], rmse["median"])
    predicted = pl.read_parquet(
        winter / "predictions" / "arrival_delay" / "date=2013-03-01" / "part.parquet", hive_partitioning=False
    )
    assert predicted["prediction"].is_finite().all()
    assert predicted.height > 1000


def test_a_second_run_has_nothing_to_do(told: tuple[Path, list[str]]) -> None:
    assert "Everything is up to date" in told[1][2]


@pytest.mark.long
def test_a_late_messy_file_changes_only_its_days_and_says_what_is_wrong(tmp_path: Path) -> None:
    data = tmp_path / "data"
    flights = published_flights([1])
    drop(data, flights[flights["day"].astype(int) <= 4])
    _, known_before = mlpipe(data, "run", "status --json")
    before = partitions_of(known_before).set_index(["table", "date"])["digest"]
    second = flights[(flights["day"] == "2") & (flights["dep_time"] != "NA")]
    messy = second[second["time_hour"].str.startswith("2013-01-02")].head(6).copy()
    for row, (column, value) in enumerate(
        [("dep_time", "2560"), ("tailnum", "NA"), ("dep_delay", "0"), ("dest", "miami")]
    ):
        assert messy[column].iloc[row] != value
        messy.loc[messy.index[row], column] = value
    messy.to_csv(data / "raw" / "flights" / "flights_2013-01-05_late.csv", index=False)

    _, known, quarantined = mlpipe(
        data, "run", "status --json", "sql --json 'select reasons from meta.quarantine order by reasons'"
    )

    after = partitions_of(known).set_index(["table", "date"])
    changed = after.index[after["digest"] != before.reindex(after.index)]
    # The clock reading that is no time gives no event date: that row is kept under the day its file arrived.
    days = {
        "interim/flights": {"2013-01-02", "2013-01-05"},
        "features/plane_features": {"2013-01-02", "2013-01-03", "2013-01-04", "2013-01-05"},
    }
    for table, expected in days.items():
        assert {day for name, day in changed if name == table} == expected
    assert [row["reasons"] for row in json.loads(quarantined)] == [
        "departed_at: cannot be read as a time",
        "dest: matches ^[A-Z]{3}$",
        "row: a_flight_that_left_has_a_plane",
        "row: the_delay_is_what_the_clock_says",
    ]
    day = after.loc[("interim/flights", "2013-01-02")]
    left = (departures([1])["left_on"] == date(2013, 1, 2)).sum()
    assert (day["received"], day["accepted"], day["duplicates"], day["quarantined"]) == (left + 5, left, 2, 3)


@pytest.mark.long
def test_the_whole_year(tmp_path: Path) -> None:
    run_all(tmp_path)
    data = tmp_path / "data"
    partitions = partitions_of(*mlpipe(data, "status --json"))
    assert_every_flight_is_accounted_for(partitions, range(1, 13))
    assert partitions.query("table == 'interim/flights'")["accepted"].sum() == WHOLE_YEAR
    # Around both changes of the clock in New York, and the ends of the year.
    days = [
        date(2013, 1, 1),
        date(2013, 3, 10),
        date(2013, 7, 4),
        date(2013, 11, 3),
        date(2013, 12, 31),
        date(2014, 1, 1),
    ]
    assert_features_are_the_facts(data, range(1, 13), days, planes_a_day=60)
