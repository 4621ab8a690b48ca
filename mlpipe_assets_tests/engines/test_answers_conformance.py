"""What every engine promises of a statement that a person asks, and of texts that are no good SQL at all."""

from collections.abc import Callable
from datetime import date
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from mlpipe_assets.engines.engine import Engine, Joined, NamedTable
from mlpipe_assets.engines.refused import Reason, RefusedSqlError
from mlpipe_assets_tests.engines.implementations import Implementation

ROWS = pl.DataFrame({"k": ["ann", None], "amount": [Decimal("1.50"), Decimal("2.00")]})


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    """A file of the same two rows for each of two days."""
    found = [tmp_path / "lake" / f"date=2026-01-0{n}" / f"part_{n}.parquet" for n in (5, 6)]
    for path in found:
        path.parent.mkdir(parents=True)
        ROWS.write_parquet(path)
    return found


def test_a_table_is_found_in_each_of_its_schemas(engine: Engine, files: list[Path]) -> None:
    table = NamedTable(schemas=("stg", "interim"), name="orders", files=files)

    for name in ("stg.orders", "interim.orders"):
        assert engine.answer_rows(f"select count(*) as n from {name}", [table]) == (["n"], [(4,)])


def test_a_table_without_files_is_not_there(engine: Engine) -> None:
    with pytest.raises(RefusedSqlError) as caught:
        engine.answer_rows("select * from stg.orders", [NamedTable(schemas=("stg",), name="orders", files=[])])

    assert caught.value.refusal.reason is Reason.NO_TABLE


@pytest.mark.parametrize(
    ("table", "columns", "row"),
    [
        (NamedTable(schemas=("s",), name="t", files=[]), ["k", "amount", "date"], date(2026, 1, 5)),
        (NamedTable(schemas=("s",), name="t", files=[], dated=False), ["k", "amount"], None),
        (NamedTable(schemas=("s",), name="t", files=[], dated=False, day="k"), ["k", "amount", "date"], "ann"),
        (NamedTable(schemas=("s",), name="t", files=[], dated=False, stem="split"), ["k", "amount", "split"], "part_5"),
    ],
)
def test_further_columns_tell_where_a_row_is_from(
    engine: Engine, files: list[Path], table: NamedTable, columns: list[str], row: object
) -> None:
    shown = NamedTable(
        schemas=table.schemas, name="t", files=files[:1], dated=table.dated, day=table.day, stem=table.stem
    )

    names, rows = engine.answer_rows("select * from s.t where k = 'ann'", [shown])

    assert names == columns
    assert rows[0][2:] == (() if row is None else (row,))


@pytest.mark.parametrize(
    ("joined", "expected"),
    [
        ([("ann", "led", 1), ("eve", "left", None)], [("ann", "led", 1), ("it's", None, None)]),
        ([("it's", "it's", 2)], [("ann", None, None), ("it's", "it's", 2)]),
        ([], [("ann", None, None), ("it's", None, None)]),
    ],
)
def test_columns_that_no_file_has_stand_in_for_those_of_their_names(
    engine: Engine, tmp_path: Path, joined: list[tuple[object, ...]], expected: list[tuple[object, ...]]
) -> None:
    path = tmp_path / "a.parquet"
    pl.DataFrame({"k": ["ann", "it's"], "status": ["old", "old"]}).write_parquet(path)
    rows = pl.DataFrame(joined, schema={"k": pl.String, "status": pl.String, "n": pl.Int64}, orient="row")
    table = NamedTable(schemas=("s",), name="t", files=[path], dated=False, joined=Joined(rows=rows, by=("k",)))

    found = engine.answer_frame("select * from s.t order by k", [table])

    assert_frame_equal(found, pl.DataFrame(expected, schema=rows.schema, orient="row"))


def test_nobody_has_to_quote_a_column_of_a_plain_table(engine: Engine, tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    pl.DataFrame({"table": ["a"], "n": [1]}).write_parquet(path)
    table = NamedTable(schemas=("meta",), name="t", files=[path], dated=False, plain=True)

    assert engine.answer_rows("select table_name, n from meta.t", [table])[1] == [("a", 1)]


def test_rows_and_frames_tell_the_same(engine: Engine, files: list[Path]) -> None:
    table = NamedTable(schemas=("s",), name="t", files=files)
    sql = "select k, amount, date from s.t order by date, amount"

    names, rows = engine.answer_rows(sql, [table])
    frame = engine.answer_frame(sql, [table])

    days = pl.Series("date", [date(2026, 1, 5), date(2026, 1, 6)]).repeat_by(2).explode()
    assert_frame_equal(frame, pl.concat([ROWS, ROWS]).with_columns(days))
    assert (names, rows) == (frame.columns, frame.rows())


def test_a_frame_has_its_types_without_rows_and_each_name_once(engine: Engine, files: list[Path]) -> None:
    table = NamedTable(schemas=("s",), name="t", files=files)

    frame = engine.answer_frame("select amount, k, k from s.t where k = 'nobody'", [table])

    assert frame.schema == {"amount": ROWS.schema["amount"], "k": pl.String, "k_1": pl.String}


@pytest.mark.parametrize(
    ("sql", "reason"),
    [
        ("", Reason.EMPTY),
        ("-- nothing\n", Reason.EMPTY),
        ("select 1; select 2", Reason.SEVERAL),
        ("select agee from s.t", Reason.NO_COLUMN),
        ("select * from s.other", Reason.NO_TABLE),
    ],
)
def test_what_cannot_be_answered_says_why(engine: Engine, files: list[Path], sql: str, reason: Reason) -> None:
    table = NamedTable(schemas=("s",), name="t", files=files)
    for ask in (engine.answer_rows, engine.answer_frame):
        with pytest.raises(RefusedSqlError) as caught:
            ask(sql, [table])
        assert caught.value.refusal.reason is reason


def test_what_does_anything_else_than_read_is_refused(
    implementation: Implementation, files: list[Path], tmp_path: Path
) -> None:
    engine, table, target = implementation.open(), NamedTable(schemas=("s",), name="t", files=files), tmp_path / "out"
    for sql in implementation.writing:
        for ask in (engine.answer_rows, engine.answer_frame):
            with pytest.raises(RefusedSqlError) as caught:
                ask(sql.format(file=target), [table])
            assert caught.value.refusal.reason is Reason.WRITES
    assert not target.exists()
    assert [pl.read_parquet(file, hive_partitioning=False).equals(ROWS) for file in files] == [True, True]


def test_no_file_but_those_of_the_tables_is_opened(
    implementation: Implementation, files: list[Path], tmp_path: Path
) -> None:
    secret = tmp_path / "secret.csv"
    secret.write_text("word\nhidden\n")
    engine, table = implementation.open(), NamedTable(schemas=("s",), name="t", files=files)
    for way in implementation.ways_out:
        with pytest.raises(RefusedSqlError) as caught:
            engine.answer_rows(way.format(file=secret), [table])
        assert caught.value.refusal.reason is Reason.LEAVES


ODD = (
    *("", " ", ";", "--", "/*", "*/", "'", '"', "(", "select", "selec 1", "\x00", "select '\x00' as a", "ü", "?", "$1"),
    *("\ud800", "select '\ud800' as a", "select 1; select 2", "select 1) --", "select $missing as a", "select ? as a"),
    *("select 1 as a, 2 as a", 'select 1 as ""', 'select 1 as "a""b"', "select null as a", "select * from t, t"),
    *("select 1/0 as a", "select cast('x' as integer) as a", "select " + "(" * 2000 + "1" + ")" * 2000),
    *("drop table t", "create table x as select 1", "insert into t values (1)", "values (1)", "explain select 1"),
)


def _operations(engine: Engine, file: Path) -> list[Callable[[str], object]]:
    frame, table = pl.read_parquet(file, hive_partitioning=False), NamedTable(schemas=("s",), name="t", files=[file])

    def by_day(sql: str, rows: int) -> object:
        dated = f"select *, timestamp '2026-01-06 00:00:00' as as_of from ({sql}\n) as odd"
        with engine.select_by_day(dated, {"t": frame}, {}, rows=rows, keys=["k"], days=90) as frames:
            return frames.day(date(2026, 1, 5), ["k"])

    return [
        lambda sql: engine.select(sql, {"t": frame}, {"x": 1}),
        lambda sql: engine.select(sql, {"t": [file]}, {}),
        lambda sql: by_day(sql, 1),
        lambda sql: by_day(sql, 3_000_000),
        lambda sql: engine.bind(sql, {"t": frame.schema}, {"x": 1}),
        lambda sql: engine.answer_rows(sql, [table]),
        lambda sql: engine.answer_frame(sql, [table]),
        lambda sql: engine.decode([file], [sql]),
    ]


@pytest.mark.fuzz
@pytest.mark.parametrize("number", range(8))
def test_whatever_the_text_is_the_only_error_is_our_own(
    implementation: Implementation, files: list[Path], number: int
) -> None:
    run = _operations(implementation.open(), files[0])[number]
    for sql in (*ODD, *implementation.odd):
        error = _refused(run, sql)

        assert error is None or error.__cause__ is None


def _refused(run: Callable[[str], object], sql: str) -> RefusedSqlError | None:
    try:
        run(sql)
    except RefusedSqlError as error:
        return error
    return None
