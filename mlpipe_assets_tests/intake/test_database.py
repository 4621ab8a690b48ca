"""Tables of a database as sources, on SQLite and on a PostgreSQL server: each change once, whatever happens when."""

import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
import sqlalchemy as sa

from mlpipe_assets.automation.stale import look_for_arrivals
from mlpipe_assets.catalog.declarations import Catalog
from mlpipe_assets.catalog.feeds import DatabaseTable
from mlpipe_assets.catalog.sources import customers, orders
from mlpipe_assets.catalog.versions import source_version
from mlpipe_assets.intake import database
from mlpipe_assets.intake.database import DatabaseIntake
from mlpipe_assets.intake.deliveries import Ledger
from mlpipe_assets.intake.intake import Pending
from mlpipe_assets.intake.registry import intake_of
from mlpipe_assets.readers.blocks import Block
from mlpipe_assets.stages.raw.plan import look_at_intakes, new_files
from mlpipe_assets.store.lake import Lake
from mlpipe_assets_tests.frames import JAN_5, JAN_6, build, events, file_digests, materialize, take
from mlpipe_assets_tests.servers import postgres_server

FEED = DatabaseTable(url="SHOP_DATABASE_URL", table="orders", newer_by="changed_at")
ORDERS = replace(orders, feed=FEED)
CUSTOMERS = replace(customers, feed=DatabaseTable(url="SHOP_DATABASE_URL", table="customers"))
TABLES = sa.MetaData()
ROWS = sa.Table(
    "orders",
    TABLES,
    sa.Column("order_id", sa.Text, primary_key=True),
    sa.Column("customer_id", sa.Text),
    sa.Column("order_ts", sa.DateTime),
    sa.Column("amount", sa.Numeric(18, 2, asdecimal=True)),
    sa.Column("quantity", sa.Integer),
    sa.Column("product_id", sa.Text),
    sa.Column("channel", sa.Text),
    sa.Column("region", sa.Text),
    sa.Column("note", sa.Text),
    sa.Column("changed_at", sa.DateTime),
    sa.Column("number", sa.BigInteger),
    sa.Column("day", sa.Date),
)
PEOPLE = sa.Table(
    "customers",
    TABLES,
    sa.Column("customer_id", sa.Text, primary_key=True),
    sa.Column("signup_date", sa.Date),
    sa.Column("age", sa.Integer),
    sa.Column("region", sa.Text),
    sa.Column("email", sa.Text),
)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a PostgreSQL."""
    with postgres_server(tmp_path_factory.mktemp("shop")) as address:
        yield address


@pytest.fixture(params=["sqlite", "postgresql"])
def shop(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> sa.Engine:
    """A database with empty tables, whose address is in SHOP_DATABASE_URL."""
    address = f"sqlite:///{tmp_path / 'shop.db'}" if request.param == "sqlite" else request.getfixturevalue("server")
    monkeypatch.setenv("SHOP_DATABASE_URL", address)
    engine = sa.create_engine(address, poolclass=sa.NullPool)
    TABLES.drop_all(engine)
    TABLES.create_all(engine)
    return engine


def at(hour: int, minute: int = 0) -> datetime:
    return datetime(2026, 1, 7, hour, minute)


def put(shop: sa.Engine, order_id: str, changed: datetime | None, *, amount: str = "1.00", of: date = JAN_5) -> None:
    """Insert an order, or change it."""
    row = {
        "order_id": order_id,
        "customer_id": "c1",
        "order_ts": datetime(of.year, of.month, of.day, 8),
        "amount": amount,
    }
    row |= {"quantity": 1, "product_id": "P00001", "channel": "web", "region": "north", "note": "ring twice"}
    row |= {"changed_at": changed, "number": int(f"{changed:%H%M}") if changed else None}
    row["day"] = changed and changed.date()
    with shop.begin() as connection:
        connection.execute(ROWS.delete().where(ROWS.c.order_id == order_id))
        connection.execute(ROWS.insert().values(**row))


def amounts(lake: Lake, day: date = JAN_5) -> dict[str, str]:
    build(lake, [day], ORDERS)
    rows = lake.read("interim", "orders", day).select("order_id", pl.col("amount").cast(pl.String))
    return dict(rows.rows())


def problems(lake: Lake, feed: DatabaseTable) -> list[str]:
    source = replace(ORDERS, feed=feed)
    found, wrong = intake_of(lake, source).look({})
    assert found == []
    return [problem.reason for problem in wrong]


def test_a_range_is_taken_once_and_a_look_says_what_waits(shop: sa.Engine, lake: Lake) -> None:
    put(shop, "o1", at(9))
    put(shop, "o2", at(10), of=JAN_6)
    waiting = [(pending.name, pending.mark) for pending in new_files(lake, ORDERS)]
    counted = look_at_intakes(lake, Catalog(sources=(ORDERS,))).new_files

    taken = take(lake, ORDERS)

    assert waiting == [("up to 2026-01-07T10:00:00", {"from": None, "to": "2026-01-07T10:00:00"})]
    assert counted == 1
    [one] = taken.new
    assert (one.known_at, one.events) == (at(10).replace(tzinfo=UTC), {JAN_5: 1, JAN_6: 1})
    assert new_files(lake, ORDERS) == []
    assert look_for_arrivals(lake, Catalog(sources=(ORDERS,)), datetime.now(tz=UTC), 0).wishes == ()


def test_only_columns_of_the_contract_leave_the_database(shop: sa.Engine, lake: Lake) -> None:
    put(shop, "o1", at(9))

    take(lake, ORDERS)

    [payload] = events(lake)["payload"]
    assert '"amount":"1.00"' in payload
    assert "ring twice" not in payload


def test_a_change_corrects_and_what_was_committed_late_is_found_within_the_overlap(shop: sa.Engine, lake: Lake) -> None:
    put(shop, "o1", at(9))
    put(shop, "o2", at(10))
    take(lake, ORDERS)
    put(shop, "o1", at(11), amount="7.00")
    put(shop, "o3", at(9, 55))  # begun before o2, and committed after it was taken
    put(shop, "o4", at(9, 49))  # too late: eleven minutes

    again = take(lake, ORDERS)

    assert [delivery.mark for delivery in again.new] == [{"from": "2026-01-07T09:50:00", "to": "2026-01-07T11:00:00"}]
    assert amounts(lake) == {"o1": "7.00", "o2": "1.00", "o3": "1.00"}


def test_rows_of_the_very_moment_that_was_taken_are_not_lost_without_any_overlap(shop: sa.Engine, lake: Lake) -> None:
    source = replace(ORDERS, feed=replace(FEED, overlap=timedelta(0)))
    put(shop, "o1", at(9))
    take(lake, source)
    put(shop, "o2", at(9))
    put(shop, "o3", at(10))

    take(lake, source)

    assert set(amounts(lake)) == {"o1", "o2", "o3"}


def test_a_number_may_say_what_is_newer(shop: sa.Engine, lake: Lake) -> None:
    source = replace(ORDERS, feed=replace(FEED, newer_by="number", overlap=0))
    put(shop, "o1", at(9))
    take(lake, source)
    put(shop, "o2", at(10))

    again = take(lake, source)

    assert [delivery.mark for delivery in again.new] == [{"from": 900, "to": 1000}]
    assert set(amounts(lake)) == {"o1", "o2"}


def test_where_days_say_what_is_newer_rows_of_the_same_day_do_not_wait_for_the_next(
    shop: sa.Engine, lake: Lake
) -> None:
    source = replace(ORDERS, feed=replace(FEED, newer_by="day"))
    put(shop, "o0", at(9) - timedelta(days=1))
    put(shop, "o1", at(9))
    take(lake, source)
    assert new_files(lake, source) == []

    put(shop, "o2", at(10))
    put(shop, "o1", at(11), amount="7.00")
    again = take(lake, source)

    assert [(one.mark or {})["from"] for one in again.new] == ["2026-01-07"]
    assert new_files(lake, source) == []
    assert amounts(lake) == {"o0": "1.00", "o1": "7.00", "o2": "1.00"}


@pytest.mark.parametrize(
    ("address", "options"),
    [
        ("postgresql://host/shop", {"connect_timeout": 10}),
        ("postgresql+psycopg://host/shop", {"connect_timeout": 10}),
        ("postgresql+psycopg2://host/shop?connect_timeout=3", {}),
        ("postgresql+pg8000://host/shop", {}),
        ("mysql+pymysql://host/shop", {"connect_timeout": 10}),
        ("mysql+mysqlconnector://host/shop", {"connection_timeout": 10}),
        ("mysql+asyncmy://host/shop", {}),
        ("sqlite:///shop.db", {}),
    ],
)
def test_a_driver_is_given_the_patience_that_it_takes(address: str, options: dict[str, int]) -> None:
    assert database._patience_of(sa.make_url(address)) == options


def test_rows_that_nothing_places_are_counted(shop: sa.Engine, lake: Lake) -> None:
    put(shop, "o1", at(9))
    put(shop, "o2", None)

    taken = take(lake, ORDERS)

    assert [delivery.events for delivery in taken.new] == [{JAN_5: 1}]
    assert "1 row of orders without changed_at cannot be taken" in f"{taken}"


def test_the_table_may_change_while_it_is_taken(shop: sa.Engine, lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    put(shop, "o1", at(9))
    read = DatabaseIntake.open

    def change_and_open(self: DatabaseIntake, pending: Pending) -> Iterator[Block]:
        put(shop, "o1", at(12), amount="9.00")
        return read(self, pending)

    monkeypatch.setattr(DatabaseIntake, "open", change_and_open)
    take(lake, ORDERS)
    monkeypatch.setattr(DatabaseIntake, "open", read)
    assert amounts(lake) == {"o1": "1.00"}

    take(lake, ORDERS)

    assert amounts(lake) == {"o1": "9.00"}


def test_a_run_that_is_cut_off_takes_the_range_again_whole(
    shop: sa.Engine, lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(shop, "o1", at(9))

    def cut_off(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as broken:
        broken.setattr(Ledger, "complete", cut_off)
        with pytest.raises(KeyboardInterrupt):
            take(lake, ORDERS)
    put(shop, "o2", at(10))

    taken = take(lake, ORDERS)

    assert [delivery.mark for delivery in taken.new] == [{"from": None, "to": "2026-01-07T10:00:00"}]
    assert events(lake).height == 2


def test_a_snapshot_is_the_whole_table_once_a_day(shop: sa.Engine, lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    with shop.begin() as connection:
        connection.execute(
            PEOPLE.insert().values(
                customer_id="C00001", signup_date=date(2025, 1, 1), age=30, region="north", email="c@x"
            )
        )
    take(lake, CUSTOMERS)
    assert new_files(lake, CUSTOMERS) == []

    later = datetime.now(tz=UTC) + timedelta(days=1)
    monkeypatch.setattr(time, "time_ns", lambda: int(later.timestamp()) * 1_000_000_000)
    with shop.begin() as connection:
        connection.execute(PEOPLE.update().values(age=31))
    taken = take(lake, CUSTOMERS)

    assert [delivery.source_file for delivery in taken.new] == [f"{later.date()}"]
    assert len(Ledger.load(lake, "customers", source_version(CUSTOMERS)).deliveries) == 2


def test_a_run_of_dagster_takes_it_and_its_checks_hold(shop: sa.Engine, lake: Lake) -> None:
    put(shop, "o1", at(9))

    run = materialize(lake, JAN_5, source=ORDERS)

    assert run.result.success
    assert all(check.passed for check in run.checks.values())


def test_damaged_events_are_made_again_from_the_table(shop: sa.Engine, lake: Lake) -> None:
    put(shop, "o1", at(9))
    take(lake, ORDERS)
    before = file_digests(lake.root)
    [events_file] = (lake.root / "raw" / "_events").rglob("*.parquet")
    events_file.chmod(0o644)
    events_file.write_bytes(b"rubbish")

    healed = take(lake, ORDERS)

    assert healed.problems == []
    assert file_digests(lake.root) == before


def test_what_cannot_be_taken_is_named_and_shows_no_password(
    shop: sa.Engine, lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(shop, "o1", at(9))

    [table] = problems(lake, replace(FEED, table="order"))
    [column] = problems(lake, replace(FEED, newer_by="change_at"))
    [kind] = problems(lake, replace(FEED, newer_by="note"))
    put(shop, "o2", at(10))
    take(lake, ORDERS)
    [overlap] = [
        problem.reason
        for problem in intake_of(lake, replace(ORDERS, feed=replace(FEED, overlap=5))).look(
            {"a": {"to": at(9).isoformat()}}
        )[1]
    ]
    monkeypatch.setenv("SHOP_DATABASE_URL", "postgresql://ann:s3cret@127.0.0.1:1/shop")
    [closed] = problems(lake, FEED)
    monkeypatch.setenv("SHOP_DATABASE_URL", "s3cret")
    [address] = problems(lake, FEED)
    monkeypatch.setenv("SHOP_DATABASE_URL", "mysql+mysqldb://ann:s3cret@127.0.0.1/shop")
    [driver] = problems(lake, FEED)
    monkeypatch.delenv("SHOP_DATABASE_URL")
    [unset] = problems(lake, FEED)

    assert table == "the database of SHOP_DATABASE_URL has no such table, or hides it from us. Is 'orders' meant?"
    assert "it has no column 'change_at' to be newer by; it has " in column
    assert "Is 'changed_at' meant?" in column
    assert kind.startswith("newer_by='note' holds str; it must hold times, dates or whole numbers")
    assert "is a time without a zone, so overlap=5 must be a timedelta" in overlap
    assert closed.startswith("postgresql://127.0.0.1:1/shop does not do what was asked (connection to server")
    assert address == "SHOP_DATABASE_URL is no address that SQLAlchemy knows: write it as postgresql://HOST/DATABASE"
    assert driver == "the driver of SHOP_DATABASE_URL is not installed (MySQLdb). Next: pip install it"
    assert unset == "the variable SHOP_DATABASE_URL is not set: it holds the address of the database"
    assert not any("s3cret" in said or "ann" in said for said in (closed, address, driver))


def test_a_table_without_a_column_of_the_contract_is_told_and_nothing_of_it_is_used(
    shop: sa.Engine, lake: Lake
) -> None:
    put(shop, "o1", at(9))
    with shop.begin() as connection:
        connection.execute(sa.text("alter table orders rename column amount to amounts"))

    taken = take(lake, ORDERS)

    assert taken.new == []
    [problem] = taken.problems
    assert "it has no column 'amount', which Orders promises" in problem.reason
    assert "Is 'amounts' meant?" in problem.reason


def test_a_row_of_the_far_future_silences_nothing_and_is_told(shop: sa.Engine, lake: Lake) -> None:
    put(shop, "o1", at(9))
    put(shop, "o2", datetime(9999, 12, 31))
    first = take(lake, ORDERS)
    put(shop, "o3", at(10))

    second = take(lake, ORDERS)

    assert [one.source_file for one in (*first.new, *second.new)] == [
        f"up to {at(9).isoformat()}",
        f"up to {at(10).isoformat()}",
    ]
    assert sorted(amounts(lake)) == ["o1", "o3"]
    [told] = second.problems
    assert told.reason.startswith("1 row with changed_at after ")
    assert told.reason.endswith("cannot be taken: nothing would be newer than they are. Correct them at the database")


def test_a_value_that_the_driver_cannot_read_is_told_without_it(
    tmp_path: Path, lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHOP_DATABASE_URL", f"sqlite:///{tmp_path / 'odd.db'}")
    engine = sa.create_engine(f"sqlite:///{tmp_path / 'odd.db'}")
    ROWS.metadata.create_all(engine)
    put(engine, "o1", at(9))
    with engine.begin() as connection:
        connection.execute(sa.text("update orders set changed_at = 'x ann@example.com'"))

    assert problems(lake, FEED) == ["a value of it cannot be read (ValueError)"]
