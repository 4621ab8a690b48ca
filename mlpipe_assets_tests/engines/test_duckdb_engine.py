"""The engine: named tables in, rows by day out, within its memory, in parts where they do not fit."""

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from mlpipe_assets.engines import duckdb_engine as engine_module
from mlpipe_assets.engines.duckdb_connection import connect
from mlpipe_assets.engines.duckdb_engine import DuckDBEngine
from mlpipe_assets.engines.engine import OnlyKeys
from mlpipe_assets.errors import SqlError

DAYS = pl.DataFrame(
    {"k": ["a", "b", "a"], "n": [1, 2, 3], "on": [date(2026, 1, 1), date(2026, 1, 1), date(2026, 1, 2)]}
)
BY_DAY = "select k, n, cast(t.on + 1 as timestamp) as as_of from t order by as_of, k"


def test_rows_come_in_the_order_of_the_select_with_times_in_utc() -> None:
    frame = DuckDBEngine().select(
        "select k, n, cast(t.on + 1 as timestamp) as as_of from t order by n desc", {"t": DAYS}, {}
    )

    as_of = [datetime(2026, 1, 3, tzinfo=UTC), datetime(2026, 1, 2, tzinfo=UTC), datetime(2026, 1, 2, tzinfo=UTC)]
    expected = pl.DataFrame(
        {"k": ["a", "b", "a"], "n": [3, 2, 1], "as_of": as_of}, schema_overrides={"as_of": pl.Datetime("us", "UTC")}
    )
    assert_frame_equal(frame, expected)


def test_files_bring_the_day_of_their_folder(tmp_path: Path) -> None:
    path = tmp_path / "it's here" / "date=2026-01-05" / "part.parquet"
    path.parent.mkdir(parents=True)
    pl.DataFrame({"k": ["a"]}).write_parquet(path)

    assert DuckDBEngine().select("select k, date from t", {"t": [path]}, {}).rows() == [("a", date(2026, 1, 5))]


def test_only_reads_part_of_the_tables_that_have_the_column() -> None:
    other = pl.DataFrame({"x": [1]})

    frame = DuckDBEngine().select(
        "select k, x from t cross join u order by n",
        {"t": DAYS, "u": other},
        {},
        OnlyKeys(rows=pl.DataFrame({"k": ["a"]})),
    )

    assert frame.rows() == [("a", 1), ("a", 1)]


def test_parameters_that_the_select_does_not_name_are_left_out() -> None:
    sql = "select k from t where n = $n -- and never $other"

    assert DuckDBEngine().select(sql, {"t": DAYS}, {"n": 2, "other": 5}).rows() == [("b",)]


@pytest.mark.parametrize("rows", [0, 3, 5_000_000])
def test_each_day_has_its_rows_sorted_whatever_the_buckets(rows: int) -> None:
    with DuckDBEngine().select_by_day(BY_DAY, {"t": DAYS}, {}, rows=rows, keys=["k"], days=7) as frames:
        first, second, third = (frames.day(date(2026, 1, n), ["k"]) for n in (1, 2, 3))

    assert first is not None
    assert second is not None
    assert (first.select("k", "n").rows(), second.select("k", "n").rows(), third) == (
        [("a", 1), ("b", 2)],
        [("a", 3)],
        None,
    )


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        ("select nope from t", "nope"),
        ("select k from u", "u"),
        ("selec k", "selec"),
        ("select cast('x' as integer) as n from t", "Conversion"),
        ("select k from t where n = $missing", "missing"),
    ],
)
def test_what_the_engine_refuses_is_a_sql_error_in_its_words(sql: str, said: str) -> None:
    with pytest.raises(SqlError, match=said):
        DuckDBEngine().select(sql, {"t": DAYS}, {})


def test_a_query_that_does_not_fit_is_run_in_more_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[int] = []
    whole = DuckDBEngine._copy

    def copy(self: DuckDBEngine, rows: str, target: Path, *rest: Any) -> None:
        [*cut] = rest[-1]
        parts = int(cut[0].condition.split("% ")[1].split(" ")[0]) if cut else 1
        tried.append(parts)
        if parts < 4:
            raise duckdb.OutOfMemoryException
        whole(self, rows, target, *rest)

    monkeypatch.setattr(DuckDBEngine, "_copy", copy)

    with DuckDBEngine().select_by_day(BY_DAY, {"t": DAYS}, {}, rows=3, keys=["k"], days=1) as frames:
        found = frames.day(date(2026, 1, 1), ["k"])

    assert tried == [1, 2, 4, 4, 4, 4]
    assert found is not None
    assert found["k"].to_list() == ["a", "b"]


def test_a_query_that_fits_in_no_number_of_parts_says_what_to_raise(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine_module, "_MOST_PARTS", 2)

    def copy(*_: Any) -> None:
        raise duckdb.OutOfMemoryException

    monkeypatch.setattr(DuckDBEngine, "_copy", copy)

    with pytest.raises(SqlError, match=r"does not fit in MLPIPE_MEMORY_LIMIT=1MB, even in 2 parts\. Raise it"):
        DuckDBEngine(memory_limit="1MB").select_by_day(BY_DAY, {"t": DAYS}, {}, rows=3, keys=["k"], days=1)


def test_a_select_that_does_not_fit_says_what_to_raise() -> None:
    wide = pl.DataFrame({"k": [f"{n}" * 30 for n in range(200_000)]})

    with pytest.raises(SqlError, match="MLPIPE_MEMORY_LIMIT=2MB"):
        DuckDBEngine(memory_limit="2MB").select("select k, count(*) as n from t group by k order by k", {"t": wide}, {})


@pytest.mark.parametrize("function", ["read_text", "read_csv", "read_blob", "glob"])
def test_sql_of_the_catalog_reads_the_files_it_is_given_and_no_other(tmp_path: Path, function: str) -> None:
    secret = tmp_path / "secret.csv"
    secret.write_text("word\nhidden\n")

    with pytest.raises(SqlError, match="Permission Error: Cannot access file"):
        DuckDBEngine().select(f"select * from {function}('{secret}')", {"t": DAYS}, {})
    with pytest.raises(SqlError, match="Permission Error: Cannot access file"):
        DuckDBEngine().select(
            f"select * from t, {function}('{secret}')", {"t": DAYS}, {}, OnlyKeys(rows=pl.DataFrame({"k": ["a"]}))
        )


def test_files_are_taken_by_their_names_whatever_characters_these_have(tmp_path: Path) -> None:
    wanted = tmp_path / "a?c [x]*" / "env=prod" / "date=2026-01-05" / "part.parquet"
    other = tmp_path / "abc x" / "env=prod" / "date=2026-01-05" / "part.parquet"
    for path, number in ((wanted, 1), (other, 2)):
        path.parent.mkdir(parents=True)
        pl.DataFrame({"n": [number]}).write_parquet(path)

    found = DuckDBEngine().select("select * from t", {"t": [wanted]}, {})

    assert_frame_equal(found, pl.DataFrame({"n": [1], "date": [date(2026, 1, 5)]}))


def test_a_long_query_prints_nothing_into_the_output_of_a_command(capfd: pytest.CaptureFixture[str]) -> None:
    with connect("1GB") as connection:
        connection.execute("set progress_bar_time = 1")
        connection.execute(
            "create temp table t as select count(*) from range(20000) a, range(20000) b where a.range * b.range % 7 = 3"
        )

    assert capfd.readouterr().out == ""
