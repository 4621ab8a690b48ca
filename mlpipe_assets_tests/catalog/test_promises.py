"""SQL that cannot keep what its contract promises is a fault of the catalog: with file and line, before any data comes."""

from dataclasses import replace
from datetime import date
from pathlib import Path

import polars as pl
import pytest

from mlpipe_assets.catalog.columns import read_sql_file
from mlpipe_assets.catalog.declarations import Catalog
from mlpipe_assets.catalog.sources import customers, orders
from mlpipe_assets.catalog.validation.binding import bind
from mlpipe_assets.engines.duckdb_engine import DuckDBEngine
from mlpipe_assets.errors import CatalogError
from mlpipe_assets_tests.planted import RETURNING_SQL, SPEND_SQL, planted_catalog, returning, spend


def reasons(folder: Path, **sql: str) -> list[str]:
    """What is wrong with the small catalog, without its places."""
    with pytest.raises(CatalogError) as raised:
        planted_catalog(folder, **sql)  # type: ignore[arg-type]
    return [line.split(": ", 2)[2] for line in raised.value.problems]


def changed(sql: str, old: str, new: str) -> str:
    assert old in sql
    return sql.replace(old, new)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("max(k.age)", "max(k.agee)", 'spend.sql:7: Table "k" does not have a column named "agee". Is \'age\' meant?'),
        ("max(k.age)", "max(birthyear)", 'spend.sql:7: Referenced column "birthyear" not found in FROM clause'),
        ("join orders", "join ordres", "spend.sql:9: Table with name ordres does not exist. Is 'orders' meant?"),
        (
            "join orders",
            "join zz",
            "spend.sql:9: Table with name zz does not exist. Its tables are customers, days, orders",
        ),
        ("max(k.age)", "oldest(k.age)", "spend.sql:7: Scalar Function with name oldest does not exist"),
        ("max(k.age)", "k.age", 'spend.sql:7: column "age" must appear in the GROUP BY clause'),
        ("max(k.age)", "max(k.age + k.region)", "spend.sql:7: No function matches the given name and argument types"),
        ("max(k.age)", "max(customer_id)", 'spend.sql:7: Ambiguous reference to column name "customer_id"'),
        ("d.day - 3", "$begin", "spend.sql:9: binds $begin, and is given $start and $end"),
        (
            "join orders",
            "join 'orders.csv'",
            'spend.sql:9: opens "orders.csv" itself; declare it as a source and read that',
        ),
    ],
)
def test_a_select_that_cannot_be_run_is_named_with_file_and_line(old: str, new: str, said: str, tmp_path: Path) -> None:
    (found,) = reasons(tmp_path, spend_sql=changed(SPEND_SQL, old, new))

    assert found.startswith("the SQL cannot be run, ")
    assert f"{tmp_path}/{said}" in found


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (
            "cast(count(*) as bigint)",
            "cast(count(*) as integer)",
            "spend.sql gives 'orders_3d' as Int32, and Spend says Int64: write cast(... as bigint) as orders_3d",
        ),
        ("cast(d.day + 1 as timestamp)", "d.day + 1", "spend.sql gives 'as_of' as Date, and Spend says Datetime("),
        ("as orders_3d", "as age", "spend.sql gives a column 'age' twice"),
        ("as orders_3d", "as orders", "spend.sql gives no column 'orders_3d' of Spend"),
    ],
)
def test_a_column_that_can_never_fit_the_contract_is_named(old: str, new: str, said: str, tmp_path: Path) -> None:
    assert any(said in line for line in reasons(tmp_path, spend_sql=changed(SPEND_SQL, old, new)))


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("f.*exclude (date)", "f.*", ["returning.sql gives a column 'date' that Returning does not have"]),
        (") as label", ") as lable", ["'label' of Returning", "'lable' that Returning does not have"]),
        ("$horizon", "$horizont", ["returning.sql:4: binds $horizont, and is given $horizon"]),
        (
            "f.date and",
            "f.dote and",
            ['returning.sql:4: Table "f" does not have a column named "dote". Is \'date\' meant?'],
        ),
    ],
)
def test_the_sql_of_a_training_set_is_looked_at_too(old: str, new: str, said: list[str], tmp_path: Path) -> None:
    found = reasons(tmp_path, returning_sql=changed(RETURNING_SQL, old, new))

    assert len(found) == len(said)
    assert all(words in line for words, line in zip(said, found, strict=True))


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        ("select customer_id, as_of, agee as age from features", 'slices.sql:1: Referenced column "agee" not found'),
        ("select customer_id, age from features", "gives no column 'as_of', which its slices are joined by"),
        ("select age as customer_id, as_of from features", "gives 'customer_id' as Int64, and Spend says String"),
    ],
)
def test_the_sql_of_slices_is_looked_at_too(sql: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "slices.sql").write_text(sql)
    with pytest.raises(CatalogError) as raised:
        planted_catalog(tmp_path, model=replace(returning, slices="slices.sql"))

    (found,) = raised.value.problems
    assert said in found


def test_columns_that_only_the_data_can_tell_are_left_to_the_run(tmp_path: Path) -> None:
    catalog = planted_catalog(tmp_path, spend_sql=f"select * from (pivot ({SPEND_SQL}) on age using count(*))")

    assert catalog.feature_views


@pytest.mark.parametrize("zone", [None, "UTC"])
def test_types_are_those_that_a_run_gives(zone: str | None) -> None:
    dtypes: list[pl.DataType] = [
        *(pl.Boolean(), pl.String(), pl.Categorical(), pl.Enum(["a"]), pl.Binary(), pl.Date(), pl.Time()),
        *(pl.Int8(), pl.Int16(), pl.Int32(), pl.Int64(), pl.UInt8(), pl.UInt16(), pl.UInt32(), pl.UInt64()),
        *(pl.Float32(), pl.Float64(), pl.Decimal(18, 2), pl.Decimal(38, 0)),
        *(pl.Datetime("ms", zone), pl.Datetime("us", zone), pl.Datetime("ns", zone)),
    ]
    table = {f"c{i}": dtype for i, dtype in enumerate(dtypes)}
    sums = ", ".join(f"sum({n}) as s_{n}, avg({n}) as a_{n}" for n, dtype in table.items() if dtype.is_numeric())
    made = "null as n, 1 as i, 1.5 as d, date '2026-01-05' + interval 1 day as t, now() as z, 'a' || 'b' as v"
    groups = ", ".join(table)
    sql = f"select *, {sums}, count(*) as c, {made} from t group by {groups}"

    bound = bind(Path("a.sql"), sql, {"t": table}, {"start": date(2026, 1, 1)})

    assert not bound.problem
    assert bound.columns == tuple(DuckDBEngine().select(sql, {"t": pl.DataFrame(schema=table)}, {}).schema.items())


@pytest.mark.parametrize(
    "content",
    [
        b"\xef\xbb\xbf" + SPEND_SQL.encode(),
        SPEND_SQL.encode() + b";",
        SPEND_SQL.encode() + b";;\n-- the end; really\n",
    ],
    ids=["byte order mark", "semicolon", "semicolons and a comment"],
)
def test_marks_around_a_select_are_no_part_of_it(content: bytes, tmp_path: Path) -> None:
    planted_catalog(tmp_path / "a")
    (tmp_path / "a" / "spend.sql").write_bytes(content)

    catalog = Catalog(sources=(orders, customers), feature_views=(spend,), sql_dir=tmp_path / "a")

    assert read_sql_file(tmp_path / "a" / "spend.sql") == SPEND_SQL
    assert catalog.feature_views


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("-- für\n".encode() + "-- für\n".encode("cp1252"), "spend.sql:2: save it as UTF-8"),
        (SPEND_SQL.encode("utf-16"), "spend.sql:1: save it as UTF-8"),
        (b"select " + b"(" * 5000 + b"1" + b")" * 5000, "spend.sql:1"),
    ],
)
def test_a_file_that_is_no_text_or_far_too_deep_is_named_with_its_line(
    content: bytes, said: str, tmp_path: Path
) -> None:
    (tmp_path / "spend.sql").write_bytes(content)
    with pytest.raises(CatalogError, match=said):
        Catalog(sources=(orders, customers), feature_views=(spend,), sql_dir=tmp_path)
