"""What is kept of one snapshot saves the next one work, and changes nothing in it."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlpipe_assets.serving.snapshots.newest import forget_others, keep, newest_rows, read_kept
from mlpipe_assets.store import keys
from mlpipe_assets.store.local import LocalObjects
from mlpipe_assets_tests.planted import day

# Of a day the value of each entity that it describes.
Days = Mapping[int, Mapping[str, int]]
SCHEMA = {"who": pl.String(), "as_of": pl.Datetime("us", "UTC"), "value": pl.Int64()}


class History:
    """Days as files, and a note of which were read."""

    def __init__(self, folder: Path, days: Days) -> None:
        self.read: list[date] = []
        self.folder = folder
        self.digests = {day(number): f"{sorted(rows.items())}" for number, rows in sorted(days.items())}
        for number, rows in days.items():
            as_of = datetime.combine(day(number) + timedelta(days=1), datetime.min.time())
            frame = {"who": list(rows), "as_of": [as_of] * len(rows), "value": list(rows.values())}
            typed = pl.DataFrame(frame, schema={**SCHEMA, "as_of": pl.Datetime("us")})
            typed.with_columns(pl.col("as_of").dt.replace_time_zone("UTC")).write_parquet(self._path(day(number)))

    def files(self, days: Sequence[date]) -> list[Path]:
        self.read += days
        return [self._path(one) for one in days]

    def _path(self, one: date) -> Path:
        return self.folder / f"{one}.parquet"


def newest(history: History, objects: LocalObjects, version: str = "v1") -> dict[str, tuple[date, int]]:
    """What a snapshot of a history has of each entity, with the day that it is of; kept for the next."""
    rows = newest_rows(read_kept(objects, "view", version), history.digests, history.files, ["who"])
    keep(objects, "view", version, history.digests, rows)
    found = rows.select("who", pl.col("as_of").dt.date() - timedelta(days=1), "value").rows()
    assert len(found) == rows.height
    return {who: (on, value) for who, on, value in found}


def expected(days: Days) -> dict[str, tuple[date, int]]:
    return {who: (day(number), value) for number in sorted(days) for who, value in days[number].items()}


@pytest.fixture
def objects(tmp_path: Path) -> LocalObjects:
    return LocalObjects(tmp_path / "lake")


_day = st.dictionaries(st.sampled_from("abc"), st.integers(0, 2), max_size=3)
_history = st.dictionaries(st.integers(1, 5), _day, min_size=1, max_size=5)
_change = st.tuples(st.integers(1, 5), st.none() | _day)  # the day is as given from now on, or is there no more


@given(_history, st.lists(_change, min_size=1, max_size=4))
def test_whatever_days_came_changed_or_went_the_rows_are_those_of_all_days(
    days: dict[int, dict[str, int]], changes: list[tuple[int, dict[str, int] | None]]
) -> None:
    with TemporaryDirectory() as place:
        objects = LocalObjects(Path(place) / "lake")
        assert newest(History(Path(place), days), objects) == expected(days)
        for number, rows in changes:
            days = {**days, number: rows} if rows is not None else {n: rows for n, rows in days.items() if n != number}
            if days:
                assert newest(History(Path(place), days), objects) == expected(days)


def test_a_new_day_is_all_that_is_read(tmp_path: Path, objects: LocalObjects) -> None:
    days: dict[int, dict[str, int]] = {1: {"ann": 1}, 2: {"bob": 2}}
    newest(History(tmp_path, days), objects)
    days[3] = {"ann": 3}
    history = History(tmp_path, days)

    assert newest(history, objects) == {"ann": (day(3), 3), "bob": (day(2), 2)}
    assert history.read == [day(3)]


def test_from_a_day_that_was_corrected_on_all_days_are_read_and_those_before_where_an_entity_left_them(
    tmp_path: Path, objects: LocalObjects
) -> None:
    days: dict[int, dict[str, int]] = {1: {"ann": 1}, 2: {"bob": 2}, 3: {"ann": 3}, 4: {"eve": 4}}
    newest(History(tmp_path, days), objects)

    days[3] = {"ann": 5}
    history = History(tmp_path, days)
    assert newest(history, objects) == {"ann": (day(3), 5), "bob": (day(2), 2), "eve": (day(4), 4)}
    assert history.read == [day(3), day(4)]

    days[3] = {}
    history = History(tmp_path, days)
    assert newest(history, objects) == {"ann": (day(1), 1), "bob": (day(2), 2), "eve": (day(4), 4)}
    assert history.read == [day(3), day(4), day(1), day(2)]


def test_what_was_kept_of_another_version_or_was_changed_since_is_not_used(
    tmp_path: Path, objects: LocalObjects
) -> None:
    days = {1: {"ann": 1}, 2: {"bob": 2}}
    newest(History(tmp_path, days), objects)
    assert read_kept(objects, "view", "v2") is None

    [head] = objects.list(keys.NEWEST)
    content = bytearray(objects.get(head.key).content)
    content[10] ^= 1
    objects.put(head.key, bytes(content))
    assert read_kept(objects, "view", "v1") is None
    history = History(tmp_path, days)
    assert newest(history, objects) == expected(days)
    assert history.read == [day(1), day(2)]


def test_rows_are_kept_once_and_go_with_their_view(tmp_path: Path, objects: LocalObjects) -> None:
    newest(History(tmp_path, {1: {"ann": 1}}), objects)
    newest(History(tmp_path, {1: {"ann": 1}, 2: {"ann": 2}}), objects)
    assert len(objects.list(keys.NEWEST)) == 1

    forget_others(objects, ["another"])

    assert objects.list(keys.NEWEST) == []
