"""Features as they were known then: which row each row of a spine gets, what it is called, and what is warned of."""

import logging
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pandas as pd
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from mlpipe_assets.catalog.asked import RetrievalError
from mlpipe_assets.catalog.declarations import Catalog
from mlpipe_assets.errors import LakeError, MissingPartitionError
from mlpipe_assets.point_in_time import as_of_join
from mlpipe_assets.point_in_time.retrieval import Retrieval, Wording
from mlpipe_assets.project import Project
from mlpipe_assets.store.lake import Lake
from mlpipe_assets_tests.feature_lake import end_of, two_views, write_days
from mlpipe_assets_tests.planted import day

_TIME = pl.Datetime("us", "UTC")
_ENDS = [end_of(day(n)) for n in range(8)]  # _ENDS[n]: what a row of the n-th day is as of


def at(number: int, hour: int = 0) -> datetime:
    """An instant `hour` hours after the end of the n-th day."""
    return _ENDS[number] + timedelta(hours=hour)


def spine_of(*rows: tuple[object, ...], **more: list[object]) -> pl.DataFrame:
    """Rows of customer and time."""
    frame = pl.DataFrame(rows, schema={"customer_id": pl.String, "event_timestamp": _TIME}, orient="row")
    return frame.with_columns(**{name: pl.Series(values) for name, values in more.items()})


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """Days 1, 2 and 4 of spend; day 2 knows bob no more, day 4 knows eve."""
    catalog = two_views(tmp_path / "sql", ttl=timedelta(days=1))
    lake = Lake(data_dir=str(tmp_path / "data"))
    write_days(lake, catalog, "spend", {day(1): [("ann", 1, 30), ("bob", 2, None)]})
    write_days(lake, catalog, "spend", {day(2): [("ann", 3, 30)], day(4): [("ann", 5, 31), ("eve", 6, 50)]})
    write_days(lake, catalog, "by_channel", {day(1): [("ann", "app", 7, "P1"), ("ann", "web", None, None)]})
    return Project(lake.root, catalog=catalog)


def test_a_row_takes_the_latest_row_whose_end_its_time_has_reached(project: Project) -> None:
    spine = spine_of(
        ("ann", at(2)),  # exactly at the end of day 2
        ("ann", at(2) - timedelta(microseconds=1)),
        ("bob", at(2, 5)),  # described on day 1 for the last time
        ("ann", at(1) - timedelta(microseconds=1)),  # before anything was known
        ("eve", at(1)),  # known on day 4 first
        ("ann", at(2)),  # twice
        row=[1, 2, 3, 4, 5, 6],
    )

    found = project.features(["spend:orders_3d", "spend:age"], spine, statuses=True)

    assert_frame_equal(
        found,
        spine.with_columns(
            orders_3d=pl.Series([3, 1, 2, None, None, 3]),
            age=pl.Series([30, 30, None, None, None, 30]),
            spend__as_of=pl.Series([_ENDS[2], _ENDS[1], _ENDS[1], None, None, _ENDS[2]], dtype=_TIME),
            orders_3d__status=pl.Series(["PRESENT", "PRESENT", "PRESENT", "NOT_FOUND", "NOT_FOUND", "PRESENT"]),
            age__status=pl.Series(["PRESENT", "PRESENT", "NULL_VALUE", "NOT_FOUND", "NOT_FOUND", "PRESENT"]),
        ).cast({"orders_3d__status": found.schema["age__status"], "age__status": found.schema["age__status"]}),
    )


def test_a_row_older_than_its_view_allows_is_none_and_says_so(project: Project) -> None:
    spine = spine_of(("ann", at(2)), ("ann", at(2, 1)), ("ann", at(1)), channel=["app", "app", "web"])

    found = project.features(["by_channel:*"], spine, statuses=True)

    assert found["orders_3d"].to_list() == [7, None, None]
    assert found["orders_3d__status"].to_list() == ["PRESENT", "OUTSIDE_MAX_AGE", "NULL_VALUE"]
    assert found["product__status"].to_list() == ["PRESENT", "OUTSIDE_MAX_AGE", "NULL_VALUE"]
    assert found["by_channel__as_of"].to_list() == [_ENDS[1], None, _ENDS[1]]
    assert_frame_equal(project.features(["by_channel:*"], spine), found.drop("orders_3d__status", "product__status"))


def test_a_correction_is_read_as_it_is_now(project: Project, tmp_path: Path) -> None:
    spine = spine_of(("ann", at(1, 3)))
    lake, catalog = Lake(data_dir=str(tmp_path / "data")), two_views(tmp_path / "sql")

    before = project.features(["spend:orders_3d"], spine)["orders_3d"].item()
    write_days(lake, catalog, "spend", {day(1): [("ann", 9, 30)]})

    assert (before, project.features(["spend:orders_3d"], spine)["orders_3d"].item()) == (1, 9)


def test_rows_without_key_or_time_stay_and_find_nothing(project: Project) -> None:
    spine = spine_of((None, at(2)), ("ann", None), ("ann", at(2)))

    found = project.features(["spend:orders_3d"], spine, statuses=True, as_of=False)

    assert found.drop("customer_id", "event_timestamp").rows() == [
        (None, "NOT_FOUND"),
        (None, "NOT_FOUND"),
        (3, "PRESENT"),
    ]


def test_a_spine_without_rows_has_the_columns_of_an_answer(project: Project) -> None:
    found = project.features(["spend:*", "by_channel:product"], spine_of(channel=[]).cast({"channel": pl.String}))

    assert found.columns[3:] == ["orders_3d", "age", "product", "spend__as_of", "by_channel__as_of"]
    assert found.height == 0


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([("ann", at(2, 1))], []),
        ([("ann", at(3))], ["features/spend has no 2026-01-03: 1 row of the spine got an older row"]),
        ([("bob", at(4))], ["features/spend has no 2026-01-03: 1 row"]),
        ([("ann", at(4, 23))], []),
        (
            [("ann", at(5)), ("ann", at(7))],
            ["features/spend ends with 2026-01-04 (as of 2026-01-05 00:00 UTC): 2 rows"],
        ),
        ([("ann", at(0)), ("ann", at(1))], []),
        (
            [("ann", at(0)), ("anne", at(1)), (None, at(1))],
            ["features/spend has nothing for any row of the spine: no row of these keys at or before"],
        ),
    ],
)
def test_days_that_are_missing_are_warned_of(
    project: Project, rows: list[tuple[object, ...]], said: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "mlpipe"):
        project.features(["spend:orders_3d"], spine_of(*rows))

    assert len(caplog.messages) == len(said)
    assert all(message.startswith(start) for message, start in zip(caplog.messages, said, strict=True))


def test_days_of_another_version_or_refused_since_are_warned_of(project: Project, tmp_path: Path) -> None:
    catalog = two_views(tmp_path / "sql")
    lake = Lake(data_dir=str(tmp_path / "data"))
    change = lake.change("features", "spend")
    change.refuse(day(1), problem="broken", inputs="x")
    change.publish()
    (tmp_path / "other").mkdir()
    other = two_views(tmp_path / "other")
    (tmp_path / "other" / "spend.sql").write_text((tmp_path / "sql" / "spend.sql").read_text().replace("- 3", "- 2"))

    asked = Retrieval(lake, other, ["spend:age"], spine_of(("ann", at(1))), Wording())
    asked.frame()

    assert [note[:70] for note in asked.notes] == [
        "features/spend 2026-01-01 were built by another version of the view th",
        "features/spend 2026-01-01 could not be built again; what is there is o",
    ]
    assert catalog


def test_two_views_may_have_features_of_one_name_by_full_names(project: Project) -> None:
    spine = spine_of(("ann", at(1)), channel=["app"])

    with pytest.raises(
        RetrievalError,
        match=r"a feature of spend and a feature of by_channel. With full_names=True, .* 'spend__orders_3d'",
    ):
        project.features(["spend:orders_3d", "by_channel:orders_3d"], spine)
    found = project.features(["by_channel:orders_3d", "spend:*", "spend:age"], spine, full_names=True, as_of=False)

    assert found.columns[3:] == ["by_channel__orders_3d", "spend__orders_3d", "spend__age"]
    assert found.row(0)[3:] == (7, 1, 30)


@pytest.mark.parametrize(
    ("features", "said"),
    [
        ([], "is no list of features: write ['spend:orders_3d']"),
        ("spend:age", "is no list of features"),
        (["spend"], "'spend' is no feature: write view:feature, such as spend:orders_3d"),
        (["spnd:age"], "There is no feature view 'spnd'; there are spend, by_channel. Is 'spend' meant?"),
        (["spend:aeg"], "spend has no feature 'aeg'; it has orders_3d, age. Is 'age' meant?"),
        (["spend:customer_id"], "spend:customer_id is no feature: customer_id and as_of say of whom and when"),
        (
            ["by_channel:*"],
            "The spine has no column 'channel', a join key of by_channel; it has customer_id, event_timestamp",
        ),
    ],
)
def test_a_request_that_has_no_answer_says_what_to_write(project: Project, features: Any, said: str) -> None:
    with pytest.raises(RetrievalError) as raised:
        project.features(features, spine_of(("ann", at(1))))

    assert said in str(raised.value)


def test_a_column_of_the_spine_is_never_replaced(project: Project) -> None:
    with pytest.raises(RetrievalError, match="'age' is a column of the spine and a feature of spend"):
        project.features(["spend:age"], spine_of(("ann", at(1)), age=[3]))
    with pytest.raises(RetrievalError, match="'spend__as_of' is a column of the spine"):
        project.features(["spend:age"], spine_of(("ann", at(1)), spend__as_of=[3]))


def test_a_view_without_partitions_is_an_error(tmp_path: Path) -> None:
    project = Project(tmp_path / "data", catalog=two_views(tmp_path / "sql"))

    with pytest.raises(MissingPartitionError, match="features/spend: there is no partition yet"):
        project.features(["spend:age"], spine_of(("ann", at(1))))


def test_a_damaged_partition_is_an_error_and_not_an_older_row(project: Project, tmp_path: Path) -> None:
    for path in (tmp_path / "data").rglob("*"):
        if "date=2026-01-02" in str(path) and path.is_file():
            path.write_bytes(path.read_bytes()[:-9] + b"123456789")

    with pytest.raises(LakeError, match="2026-01-02"):
        project.features(["spend:age"], spine_of(("ann", at(2))))


def by_day(rows: list[tuple[int, tuple[str, str], int | None]]) -> dict[int, dict[tuple[str, str], int | None]]:
    """Rows of day, key and value, as partitions."""
    found: dict[int, dict[tuple[str, str], int | None]] = {}
    for number, key, value in rows:
        found.setdefault(number, {})[key] = value
    return found


_keys = st.tuples(st.sampled_from(["a", "ab"]), st.sampled_from(["b", "bb", ""]))
_rows = st.tuples(st.integers(1, 7), _keys, st.none() | st.integers(0, 9))
_histories = st.lists(_rows, min_size=10, max_size=24).map(by_day)
_moments = st.builds(
    lambda days, hours, micros: at(0) + timedelta(days=days, hours=hours, microseconds=micros),
    st.integers(0, 8),
    st.sampled_from([0, 1, 3, 12]),
    st.sampled_from([-1, 0, 0, 0, 1]),
)
_asker = st.tuples(_keys, _moments)
_askers = st.one_of(*[_asker] * 9, st.sampled_from([(("a", "b"), None), ((None, "b"), at(5))]))
_spines = st.lists(_askers, min_size=4, max_size=12)
_ttls = st.none() | st.sampled_from([timedelta(hours=1), timedelta(days=1), timedelta(days=2, hours=3)])


_over_histories = given(history=_histories, spine=_spines, ttl=_ttls, at_once=st.sampled_from([1, 3, 1000]))


@_over_histories
@settings(max_examples=60)
def test_random_histories_are_joined_as_row_by_row_in_plain_python(
    history: dict[int, dict[tuple[str, str], int | None]],
    spine: list[tuple[tuple[str | None, str], datetime | None]],
    ttl: timedelta | None,
    at_once: int,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    expect_as_by_hand(tmp_path_factory.mktemp("lake"), history, spine, ttl, at_once)


@pytest.mark.fuzz
@_over_histories
@settings(max_examples=3_000)
def test_many_random_histories_are_joined_as_row_by_row_in_plain_python(
    history: dict[int, dict[tuple[str, str], int | None]],
    spine: list[tuple[tuple[str | None, str], datetime | None]],
    ttl: timedelta | None,
    at_once: int,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    expect_as_by_hand(tmp_path_factory.mktemp("lake"), history, spine, ttl, at_once)


def expect_as_by_hand(
    folder: Path,
    history: dict[int, dict[tuple[str, str], int | None]],
    spine: list[tuple[tuple[str | None, str], datetime | None]],
    ttl: timedelta | None,
    at_once: int,
) -> None:
    """Join a history to a spine, and compare with a walk through all rows for each row."""
    catalog, lake = _catalog(folder, ttl), Lake(data_dir=str(folder / "data"))
    days = {day(n): [(*key, value, None) for key, value in rows.items()] for n, rows in history.items()}
    write_days(lake, catalog, "by_channel", days)
    rows = [(*key, when) for key, when in spine]
    frame = pl.DataFrame(
        rows, schema={"customer_id": pl.String, "channel": pl.String, "event_timestamp": _TIME}, orient="row"
    )

    with patch.object(as_of_join, "_KEYS_AT_ONCE", at_once), patch.object(as_of_join, "_CELLS_AT_ONCE", at_once):
        with_statuses = Retrieval(lake, catalog, ["by_channel:orders_3d"], frame, Wording(statuses=True)).frame()
        without = Retrieval(lake, catalog, ["by_channel:orders_3d"], frame, Wording()).frame()

    assert with_statuses.rows() == [(*row, *_by_hand(history, row, ttl)) for row in rows]
    assert_frame_equal(without, with_statuses.drop("orders_3d__status"))


def _by_hand(
    history: dict[int, dict[tuple[str, str], int | None]], row: tuple[Any, ...], ttl: timedelta | None
) -> tuple[int | None, datetime | None, str]:
    """Value, as_of and status of one row of a spine."""
    *key, when = row
    seen = [
        n for n, known in sorted(history.items()) if when is not None and _ENDS_OF[n] <= when and tuple(key) in known
    ]
    if not seen or key[0] is None:
        return None, None, "NOT_FOUND"
    as_of, value = _ENDS_OF[seen[-1]], history[seen[-1]][key[0], key[1]]
    if ttl is not None and when - as_of > ttl:
        return None, None, "OUTSIDE_MAX_AGE"
    return value, as_of, "NULL_VALUE" if value is None else "PRESENT"


_ENDS_OF = {n: datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=n) for n in range(1, 8)}
_CATALOGS: dict[timedelta | None, Catalog] = {}


def _catalog(folder: Path, ttl: timedelta | None) -> Catalog:
    """A catalog per ttl: to check one takes longer than to join."""
    if ttl not in _CATALOGS:
        _CATALOGS[ttl] = two_views(folder / "sql", ttl=ttl)
    return _CATALOGS[ttl]


def test_a_pandas_spine_is_a_spine(project: Project) -> None:
    spine = pd.DataFrame({"customer_id": ["ann", None], "event_timestamp": pd.to_datetime([at(2), at(2)], utc=True)})

    found = project.features(["spend:orders_3d"], spine)

    assert found["orders_3d"].to_list() == [3, None]
    assert found.columns == ["customer_id", "event_timestamp", "orders_3d", "spend__as_of"]
    assert date(2026, 1, 2) in project.days("features/spend")
