"""What every engine promises, whichever it is: these tests speak the protocol and SQL that all of them read."""

import os
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from mlpipe_assets.engines.engine import Engine, OnlyKeys
from mlpipe_assets.engines.refused import Reason, RefusedSqlError
from mlpipe_assets_tests.engines.implementations import Implementation

IN_ONE_PASS: dict[str, Any] = {"rows": 0, "days": 1}
IN_PARTS: dict[str, Any] = {"rows": 5_000_000, "days": 90}
UTC_TIME = pl.Datetime("us", "UTC")
VISITS = pl.DataFrame(
    {
        "k": ["ann", "bob", "ann", None],
        "n": [1, 2, 3, 4],
        "day": [date(2026, 1, 5), date(2026, 1, 5), date(2026, 1, 6), date(2026, 1, 5)],
    }
)
BY_DAY = "select k, n, cast(day + interval '1' day as timestamp) as as_of from t order by as_of, k"


@pytest.fixture(params=["Pacific/Auckland", "America/New_York"])
def far_away(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A process whose clock is not UTC."""
    monkeypatch.setenv("TZ", request.param)
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()
    assert os.environ.get("TZ") != request.param


def write(path: Path, frame: pl.DataFrame) -> Path:
    path.parent.mkdir(parents=True)
    frame.write_parquet(path)
    return path


def test_rows_come_in_the_order_of_the_select(engine: Engine) -> None:
    frame = engine.select("select k, n from t where k is not null order by n desc", {"t": VISITS}, {})

    assert_frame_equal(frame, pl.DataFrame({"k": ["ann", "bob", "ann"], "n": [3, 2, 1]}))


def test_several_tables_are_joined_by_their_names(engine: Engine) -> None:
    ages = pl.DataFrame({"k": ["ann"], "age": [40]})

    frame = engine.select(
        "select t.n, u.age from t left join u on u.k = t.k order by t.n", {"t": VISITS, "u": ages}, {}
    )

    assert frame.rows() == [(1, 40), (2, None), (3, 40), (4, None)]


@pytest.mark.usefixtures("far_away")
def test_times_are_utc_wherever_the_process_runs(engine: Engine) -> None:
    naive, aware = datetime(2026, 1, 5, 23, 30), datetime(2026, 1, 5, 23, 30, tzinfo=UTC)
    table = pl.DataFrame({"naive": [naive], "aware": [aware]}, schema={"naive": pl.Datetime("ms"), "aware": UTC_TIME})

    frame = engine.select(
        "select naive, aware, cast(aware as date) as day from t where aware = $at", {"t": table}, {"at": aware}
    )

    expected = {"naive": [aware], "aware": [aware], "day": [date(2026, 1, 5)]}
    assert_frame_equal(frame, pl.DataFrame(expected, schema={"naive": UTC_TIME, "aware": UTC_TIME, "day": pl.Date}))


def test_nulls_stay_nulls_and_are_equal_to_nothing(engine: Engine) -> None:
    table = pl.DataFrame({"k": [None, "a", "a"], "n": [1, None, None]}, schema={"k": pl.String, "n": pl.Int64})
    sql = "select k, cast(sum(n) as bigint) as total, count(n) as known, count(*) as all_rows from t group by k order by all_rows"

    assert engine.select(sql, {"t": table}, {}).rows() == [(None, 1, 1, 1), ("a", None, 0, 2)]
    assert engine.select("select k from t where k <> 'b' or n > 1", {"t": table}, {}).height == 2


def test_decimals_are_exact(engine: Engine) -> None:
    amounts = [Decimal("0.10"), Decimal("0.20"), Decimal("99999999999999.99")]
    table = pl.DataFrame({"amount": amounts}, schema={"amount": pl.Decimal(18, 2)})

    frame = engine.select("select cast(sum(amount) as decimal(18, 2)) as total from t", {"t": table}, {})

    assert frame.schema == {"total": pl.Decimal(18, 2)}
    assert frame["total"].to_list() == [Decimal("100000000000000.29")]


@pytest.mark.parametrize("value", [0.1 + 0.2, 5e-324, 1.7976931348623157e308, -0.0])
def test_floats_keep_their_last_bit(engine: Engine, value: float) -> None:
    found = engine.select("select x from t", {"t": pl.DataFrame({"x": [value]})}, {})["x"][0]

    assert found.hex() == value.hex()


def test_texts_keep_every_character(engine: Engine) -> None:
    texts = ["", " a ", "ü", "\U0001d518", "it's", 'a "b"', "a\\b", "line\nbreak", "null", "\x00"]

    found = engine.select("select x from t", {"t": pl.DataFrame({"x": texts})}, {})

    assert sorted(found["x"]) == sorted(texts)


def test_a_table_without_rows_has_its_columns_all_the_same(engine: Engine) -> None:
    tables = {"t": VISITS, "u": VISITS.clear()}

    assert_frame_equal(engine.select("select k, n, day from u", tables, {}), VISITS.clear())
    assert engine.select("select count(u.n) as known from t left join u on u.k = t.k", tables, {}).rows() == [(0,)]
    with engine.select_by_day(BY_DAY, {"t": VISITS.clear()}, {}, keys=["k"], **IN_PARTS) as frames:
        assert frames.day(date(2026, 1, 5), ["k"]) is None


def test_a_file_tells_the_day_of_its_folder_and_rows_tell_none(engine: Engine, tmp_path: Path) -> None:
    files = [write(tmp_path / f"date=2026-01-0{n}" / "part.parquet", pl.DataFrame({"n": [n]})) for n in (5, 6)]

    found = engine.select("select * from t order by n", {"t": files}, {})

    assert_frame_equal(found, pl.DataFrame({"n": [5, 6], "date": [date(2026, 1, 5), date(2026, 1, 6)]}))
    assert engine.select("select * from t", {"t": pl.DataFrame({"n": [5]})}, {}).columns == ["n"]


@pytest.mark.parametrize("root", ["data", "it's a [lake]*?", "env=prod/data", ".hidden", "date=2020-01-01/data"])
def test_a_file_is_read_wherever_it_lies_and_none_beside_it(engine: Engine, tmp_path: Path, root: str) -> None:
    day = tmp_path / root / ".store" / "interim" / "orders" / "date=2026-01-05"
    wanted = write(day / f"{'0a' * 32}.parquet", pl.DataFrame({"n": [1]}))
    pl.DataFrame({"n": [2]}).write_parquet(day / f"{'0b' * 32}.parquet")

    found = engine.select("select * from t", {"t": [wanted]}, {})

    assert_frame_equal(found, pl.DataFrame({"n": [1], "date": [date(2026, 1, 5)]}))


@pytest.mark.parametrize("keys", [["ann"], ["it's", "ann", ""], ["1", "bob' or '1' = '1"]])
def test_only_some_keys_take_part_where_a_table_has_them(engine: Engine, keys: list[str]) -> None:
    other = pl.DataFrame({"x": [1, 2]})

    found = engine.select(
        "select k, n, x from t cross join u order by n, x",
        {"t": VISITS, "u": other},
        {},
        OnlyKeys(rows=pl.DataFrame({"k": keys})),
    )

    expected = VISITS.filter(pl.col("k").is_in(keys)).select("k", "n").join(other, how="cross").sort("n", "x")
    assert_frame_equal(found, expected)


def test_keys_may_be_numbers(engine: Engine) -> None:
    found = engine.select("select n from t order by n", {"t": VISITS}, {}, OnlyKeys(rows=pl.DataFrame({"n": [4, 2]})))

    assert found["n"].to_list() == [2, 4]


def test_parameters_are_values_and_those_that_are_not_named_are_left_out(engine: Engine) -> None:
    sql = "select k, n from t where (k = $name or day = $day) and n >= $least -- and never $other"

    found = engine.select(
        sql, {"t": VISITS}, {"name": "x' or '1' = '1", "day": date(2026, 1, 6), "least": 1, "other": 5}
    )

    assert found.rows() == [("ann", 3)]


@pytest.mark.parametrize(
    ("sql", "line", "reason", "name"),
    [
        ("select k,\n  agee\nfrom t", 2, Reason.NO_COLUMN, "agee"),
        ("select k\nfrom t\njoin ordres on true", 3, Reason.NO_TABLE, "ordres"),
        ("select k\nfrom t\nwhere where", 3, Reason.OTHER, ""),
    ],
)
def test_a_fault_is_named_with_its_line_and_what_it_is_about(
    engine: Engine, sql: str, line: int, reason: Reason, name: str
) -> None:
    tables = {"t": VISITS}
    for run in (
        lambda: engine.select(sql, tables, {}),
        lambda: engine.select_by_day(sql, tables, {}, keys=["k"], **IN_ONE_PASS),
        lambda: engine.bind(sql, {"t": VISITS.schema}, {}),
    ):
        with pytest.raises(RefusedSqlError) as caught:
            run()
        found = caught.value.refusal
        assert (found.line, found.reason, found.name) == (line, reason, name)
        assert "\n" not in found.words


def test_a_parameter_that_nobody_gives_is_refused(engine: Engine) -> None:
    with pytest.raises(RefusedSqlError, match="missing"):
        engine.select("select k from t where n = $missing", {"t": VISITS}, {"n": 1})
    with pytest.raises(RefusedSqlError) as caught:
        engine.bind("select k from t\nwhere n = $missing", {"t": VISITS.schema}, {"n": 1})

    assert (caught.value.refusal.reason, caught.value.refusal.line) == (Reason.NO_PARAMETER, 2)


def test_an_error_quotes_no_value_of_the_data(engine: Engine) -> None:
    table = pl.DataFrame({"k": ["ann@example.org"]})
    for run in (
        lambda: engine.select("select cast(k as integer) as n from t", {"t": table}, {}),
        lambda: engine.select_by_day(
            "select cast(k as timestamp) as as_of from t", {"t": table}, {}, keys=["k"], **IN_ONE_PASS
        ),
    ):
        with pytest.raises(RefusedSqlError) as caught:
            run()
        carried = f"{caught.value} {caught.value.refusal} {caught.value.__cause__}"
        assert "ann@example.org" not in carried


def test_nothing_but_the_slices_is_read(implementation: Implementation, tmp_path: Path) -> None:
    secret = tmp_path / "secret.csv"
    secret.write_text("word\nhidden\n")
    engine = implementation.open()
    for way in implementation.ways_out:
        sql = way.format(file=secret)
        for run in (
            lambda sql=sql: engine.select(sql, {"t": VISITS}, {}),
            lambda sql=sql: engine.select_by_day(sql, {"t": VISITS}, {}, keys=["k"], **IN_PARTS),
            lambda sql=sql: engine.bind(sql, {"t": VISITS.schema}, {}),
        ):
            with pytest.raises(RefusedSqlError) as caught:
                run()
            assert caught.value.refusal.reason is Reason.LEAVES


def test_one_select_is_run_and_not_a_second_statement(engine: Engine) -> None:
    with pytest.raises(RefusedSqlError):
        engine.select("select 1 as a; select 2 as a", {"t": VISITS}, {})
    with pytest.raises(RefusedSqlError):
        engine.select("create table x as select 1 as a", {"t": VISITS}, {})


def test_midnight_ends_a_day_and_begins_one_where_rows_are_of_moments(engine: Engine) -> None:
    sql = "select 'a' as k, timestamp '2026-01-06 00:00:00' as as_of"

    with engine.select_by_day(sql, {}, {}, keys=["k"], **IN_ONE_PASS) as frames:
        assert frames.day(date(2026, 1, 5), ["k"]) is not None
        assert frames.day(date(2026, 1, 6), ["k"]) is None
    with engine.select_by_day(sql, {}, {}, keys=["k"], moments=True, **IN_ONE_PASS) as frames:
        assert frames.day(date(2026, 1, 5), ["k"]) is None
        assert frames.day(date(2026, 1, 6), ["k"]) is not None


@pytest.mark.parametrize("passes", [IN_ONE_PASS, IN_PARTS])
def test_each_day_has_its_rows_in_the_order_asked_for(engine: Engine, passes: dict[str, Any]) -> None:
    with engine.select_by_day(BY_DAY, {"t": VISITS}, {}, keys=["k"], **passes) as frames:
        days = [frames.day(date(2026, 1, n), ["n"]) for n in (4, 5, 6, 7)]

    as_of = {5: datetime(2026, 1, 6, tzinfo=UTC), 6: datetime(2026, 1, 7, tzinfo=UTC)}
    expected = {
        n: VISITS.filter(pl.col("day") == date(2026, 1, n)).select("k", "n", as_of=pl.lit(as_of[n], dtype=UTC_TIME))
        for n in (5, 6)
    }
    assert days[0] is None
    assert days[3] is None
    for found, n in zip(days[1:3], (5, 6), strict=True):
        assert found is not None
        assert_frame_equal(found, expected[n])


@pytest.mark.parametrize("passes", [IN_ONE_PASS, IN_PARTS])
def test_of_a_select_by_day_too_only_some_keys_take_part(engine: Engine, passes: dict[str, Any]) -> None:
    only = OnlyKeys(rows=pl.DataFrame({"k": ["bob", "who"]}))

    with engine.select_by_day(BY_DAY, {"t": VISITS}, {}, keys=["k"], only=only, **passes) as frames:
        found = frames.day(date(2026, 1, 5), ["k"])
        other = frames.day(date(2026, 1, 6), ["k"])

    assert found is not None
    assert found["n"].to_list() == [2]
    assert other is None


def test_a_table_without_the_key_is_whole_in_each_part(engine: Engine) -> None:
    prices = pl.DataFrame({"x": [10, 20, 30]})
    sql = (
        "select t.k, count(*) as pairs, cast(max(day) + interval '1' day as timestamp) as as_of "
        "from t cross join u where t.k is not null group by t.k, day"
    )

    with engine.select_by_day(sql, {"t": VISITS, "u": prices}, {}, keys=["k"], **IN_PARTS) as frames:
        found = frames.day(date(2026, 1, 5), ["k"])

    assert found is not None
    assert found.select("k", "pairs").rows() == [("ann", 3), ("bob", 3)]


@pytest.mark.usefixtures("far_away")
@pytest.mark.parametrize("as_of", ["timestamp '2026-01-06 00:00:00'", "$end"])
def test_midnight_belongs_to_the_day_that_it_ends(engine: Engine, as_of: str) -> None:
    sql = f"select k, {as_of} as as_of from t where n = 1"
    end = datetime(2026, 1, 6, tzinfo=UTC)

    with engine.select_by_day(sql, {"t": VISITS}, {"end": end}, keys=["k"], **IN_ONE_PASS) as frames:
        found = frames.day(date(2026, 1, 5), ["k"])

    assert found is not None
    assert found.rows() == [("ann", end)]


def test_a_limit_behind_the_last_order_counts(engine: Engine) -> None:
    sql = f"select * from ({BY_DAY}) as all_days order by n desc limit 1"

    with engine.select_by_day(sql, {"t": VISITS}, {}, keys=["k"], **IN_ONE_PASS) as frames:
        found = [frames.day(date(2026, 1, n), ["k"]) for n in (5, 6)]

    assert [None if frame is None else frame["n"].to_list() for frame in found] == [[4], None]


def test_days_may_be_asked_for_side_by_side_and_again(engine: Engine) -> None:
    with (
        engine.select_by_day(BY_DAY, {"t": VISITS}, {}, keys=["k"], **IN_PARTS) as frames,
        ThreadPoolExecutor(4) as threads,
    ):
        found = list(threads.map(lambda _: frames.day(date(2026, 1, 5), ["n"]), range(8)))

    assert [frame["n"].to_list() for frame in found if frame is not None] == [[1, 2, 4]] * 8


def test_rows_cannot_be_sorted_by_a_column_that_the_select_does_not_give(engine: Engine) -> None:
    with (
        engine.select_by_day(BY_DAY, {"t": VISITS}, {}, keys=["k"], **IN_ONE_PASS) as frames,
        pytest.raises(RefusedSqlError, match="no column absent"),
    ):
        frames.day(date(2026, 1, 5), ["absent"])


ROWS = st.lists(
    st.tuples(
        st.sampled_from([None, "", "a", "b", "ü", "it's"]), st.one_of(st.none(), st.integers(-5, 5)), st.integers(5, 7)
    ),
    max_size=12,
)


@settings(max_examples=8, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=ROWS)
def test_parts_and_days_do_not_change_what_a_select_gives(
    engine: Engine, rows: list[tuple[str | None, int | None, int]]
) -> None:
    expect_same_in_parts(engine, rows)


@pytest.mark.fuzz
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=ROWS)
def test_parts_and_days_never_change_what_a_select_gives(
    engine: Engine, rows: list[tuple[str | None, int | None, int]]
) -> None:
    expect_same_in_parts(engine, rows)


def expect_same_in_parts(engine: Engine, rows: list[tuple[str | None, int | None, int]]) -> None:
    columns = [(k, n, date(2026, 1, day)) for k, n, day in rows]
    table = pl.DataFrame(columns, schema={"k": pl.String, "n": pl.Int64, "day": pl.Date}, orient="row")
    sql = (
        "select k, cast(sum(n) as bigint) as total, count(*) as seen, cast(day + interval '1' day as timestamp) as as_of "
        "from t group by k, day order by as_of, k"
    )
    whole = engine.select(sql, {"t": table}, {})

    for passes in (IN_ONE_PASS, IN_PARTS):
        with engine.select_by_day(sql, {"t": table}, {}, keys=["k"], **passes) as frames:
            days = [frames.day(date(2026, 1, n), ["k"]) for n in range(4, 9)]
        found = pl.concat([whole.clear(), *(frame for frame in days if frame is not None)])
        assert_frame_equal(found, whole.sort("as_of", "k"))


def test_what_is_bound_is_what_a_run_gives(engine: Engine) -> None:
    sql = (
        "select k, n, day, cast(n as double) as x, cast(n as decimal(18, 2)) as amount, n > $least as flag, "
        "cast(day as timestamp) as as_of from t"
    )

    bound = engine.bind(sql, {"t": VISITS.schema}, {"least": 1, "other": 2})

    assert bound is not None
    assert dict(bound) == engine.select(sql, {"t": VISITS}, {"least": 1}).schema
    assert [name for name, _ in bound] == ["k", "n", "day", "x", "amount", "flag", "as_of"]


@pytest.mark.parametrize(
    "dtype",
    [
        *(
            pl.Boolean(),
            pl.Int8(),
            pl.Int16(),
            pl.Int32(),
            pl.Int64(),
            pl.Float32(),
            pl.Float64(),
            pl.String(),
            pl.Date(),
        ),
        *(pl.Decimal(18, 2), pl.Decimal(38, 0), UTC_TIME),
    ],
)
def test_a_type_is_spelled_so_that_a_cast_to_it_gives_it(engine: Engine, dtype: pl.DataType) -> None:
    spelled = engine.spell_type(dtype)

    assert engine.bind(f"select cast(null as {spelled}) as x", {}, {}) == (("x", dtype),)


def test_a_type_that_no_table_holds_has_no_name(engine: Engine) -> None:
    assert engine.spell_type(pl.Object()) is None
    assert engine.bind("select 1 as a", {"t": {"x": pl.Object()}}, {}) is None


EVENTS = pl.DataFrame(
    {
        "event_date": [date(2026, 1, 5)] * 2,
        "known_at": [datetime(2026, 1, 6, tzinfo=UTC)] * 2,
        "delivery": ["d"] * 2,
        "record_number": [1, 2],
        "source_file": ["a.jsonl"] * 2,
        "payload": ['{"a": "0.10", "b b": null, "ü": "it\'s \\"x\\""}', '{"a": ""}'],
    }
)


def test_fields_of_a_payload_come_as_text_beside_their_events(engine: Engine, tmp_path: Path) -> None:
    path = write(tmp_path / "date=2026-01-05" / "events.parquet", EVENTS)

    found = engine.decode([path], ["a", "b b", "ü"])

    if found is not None:  # an engine may leave it to others
        fields = {"field_0": ["0.10", ""], "field_1": [None, None], "field_2": ['it\'s "x"', None]}
        expected = EVENTS.with_columns(pl.DataFrame(fields, schema=dict.fromkeys(fields, pl.String)))
        assert_frame_equal(found.sort("record_number"), expected)


def test_a_payload_that_is_no_json_is_left_to_others(engine: Engine, tmp_path: Path) -> None:
    path = write(tmp_path / "date=2026-01-05" / "events.parquet", EVENTS.with_columns(payload=pl.lit("{")))

    assert engine.decode([path], ["a"]) is None
