"""raw: what becomes of each file of the drop zone."""

import gzip
import json
import os
import time
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import dagster as dg
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from mlpipe_assets.catalog.declarations import Source
from mlpipe_assets.catalog.feeds import Files
from mlpipe_assets.catalog.sources import customers, orders
from mlpipe_assets.intake import drop_zone
from mlpipe_assets.intake.deliveries import Ledger
from mlpipe_assets.intake.drop_zone import DropZone
from mlpipe_assets.partitions import START_DATE
from mlpipe_assets.readers.open import read_blocks
from mlpipe_assets.stages.raw import placement
from mlpipe_assets.stages.raw.taking import Ingested
from mlpipe_assets.store.lake import Lake
from mlpipe_assets.transforms import received
from mlpipe_assets_tests.frames import (
    HEADER,
    JAN_5,
    JAN_6,
    JAN_7,
    build,
    drop,
    events,
    file_digests,
    materialize,
    order,
    order_ids,
    orders_csv,
    quarantined,
    refusals,
    take,
)

END_OF_JAN_5 = datetime(2026, 1, 5, 23, 59, 59, tzinfo=UTC)
CUSTOMERS = "customer_id,email,age,region,signup_date\n"
ANNA = "c1,anna@example.org,30,north,2025-12-01\n"


def written_at(lake: Lake) -> dict[str, int]:
    below = [lake.root / folder for folder in ("raw/_events", "validation", "meta/deliveries", "meta/drop_zone")]
    return {f"{p}": p.stat().st_mtime_ns for folder in below for p in folder.rglob("*") if p.is_file()}


def reasons(found: Ingested) -> dict[str, str]:
    return {problem.name: problem.reason for problem in found.problems}


def test_a_file_becomes_events_exactly_as_received_with_where_they_came_from(lake: Lake) -> None:
    lines = (
        order("o1", " 2026-01-06T00:30:00+01:00", amount=" 1.10"),
        order("o2", "2026-01-06 00:30:00", amount='"1,5"'),
    )
    drop(lake, "orders_2026-01-05.csv", orders_csv(*lines))

    delivery = take(lake).new[0].delivery

    names = HEADER.split(",")
    first = ["o1", "c1", " 2026-01-06T00:30:00+01:00", " 1.10", "1", "P00001", "web", "north"]
    second = ["o2", "c1", "2026-01-06 00:30:00", "1,5", "1", "P00001", "web", "north"]
    payloads = [
        "{" + ",".join(f'"{n}":"{v}"' for n, v in zip(names, row, strict=True)) + "}" for row in (first, second)
    ]
    expected = pl.DataFrame(
        {
            "source": ["orders", "orders"],
            "delivery": [delivery, delivery],
            "source_file": ["orders_2026-01-05.csv"] * 2,
            "record_number": [2, 3],
            "event_date": [JAN_5, JAN_6],
            "known_at": pl.Series([END_OF_JAN_5] * 2, dtype=pl.Datetime("us", "UTC")),
            "payload": payloads,
        }
    )
    assert_frame_equal(events(lake), expected)


def test_a_replay_rewrites_nothing(lake: Lake) -> None:
    drop(lake, "orders_2026-01-05.csv", orders_csv(order("o1"), "broken"))
    take(lake)
    before = written_at(lake)

    found = take(lake)

    assert (found.new, found.problems, found.waiting) == ([], [], [])
    assert written_at(lake) == before


def test_a_touched_file_with_the_same_content_is_no_new_delivery(lake: Lake) -> None:
    path = drop(lake, "orders.csv", orders_csv(order("o1")))
    take(lake)
    os.utime(path, (2_000_000_000, 2_000_000_000))

    found = take(lake)

    assert (found.new, found.copies) == ([], [])
    assert events(lake).height == 1


def test_the_same_content_under_another_name_is_named_and_not_counted_twice(lake: Lake) -> None:
    drop(lake, "a_2026-01-05.csv", orders_csv(order("o1")))
    drop(lake, "b_2026-01-06.csv", orders_csv(order("o1")))

    found = take(lake)

    assert [d.source_file for d in found.new] == ["a_2026-01-05.csv"]
    assert found.copies == ["b_2026-01-06.csv (same content as a_2026-01-05.csv)"]
    assert events(lake).height == 1


def test_changed_content_under_a_known_name_is_a_new_delivery_that_wins_every_tie(lake: Lake) -> None:
    for amount in ("1", "2", "3", "4"):  # the digests of four contents are in no particular order
        sent = datetime(2026, 2, 1, int(amount), tzinfo=UTC)
        drop(lake, "orders_2026-01-05.csv", orders_csv(order("o1", amount=amount)), modified=sent)
        found = take(lake)
        build(lake, [JAN_5])
        assert lake.read("interim", "orders", JAN_5)["amount"].cast(pl.String).to_list() == [f"{amount}.00"]

    assert found.changed == ["orders_2026-01-05.csv"]
    assert len(Ledger.load(lake, "orders").deliveries) == 4


def test_content_that_comes_back_under_its_name_is_the_senders_last_word(lake: Lake) -> None:
    for hour, amount in enumerate(("1", "2", "1", "1", "2")):
        sent = datetime(2026, 2, 1, hour, tzinfo=UTC)
        drop(lake, "orders_2026-01-05.csv", orders_csv(order("o1", amount=amount)), modified=sent)
        take(lake)
        build(lake, [JAN_5])
        assert lake.read("interim", "orders", JAN_5)["amount"].cast(pl.String).to_list() == [f"{amount}.00"]

    assert len(Ledger.load(lake, "orders").deliveries) == 4  # the same content twice in a row is one delivery


def test_a_file_that_could_not_be_read_is_tried_again_when_the_declaration_changes(lake: Lake) -> None:
    drop(lake, "orders_2026-01-05.csv", b"order_id,order_id\no1,o1\n")
    files = DropZone.of(lake, orders).look({})[0]
    before = Ledger.load(lake, "orders", "one version")

    before.note(files[0], problem="a column is named twice")
    before.save()

    assert Ledger.load(lake, "orders", "one version").status_of(files[0]) is not None
    assert Ledger.load(lake, "orders", "another version").status_of(files[0]) is None


def test_a_correction_wins_even_when_the_run_before_was_killed_before_it_noted_the_name(lake: Lake) -> None:
    for amount in ("1", "2", "3", "4"):
        drop(lake, "orders_2026-01-05.csv", orders_csv(order("o1", amount=amount)))
        take(lake)
        (lake.root / "meta" / "drop_zone" / "orders.json").unlink()
        build(lake, [JAN_5])
        assert lake.read("interim", "orders", JAN_5)["amount"].cast(pl.String).to_list() == [f"{amount}.00"]


def test_a_file_still_being_written_waits_for_the_next_run_while_others_go_on(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    drop(lake, "whole.csv", orders_csv(order("o1")))
    growing = drop(lake, "growing.csv", orders_csv(order("o2")), modified=datetime.now(tz=UTC))
    monkeypatch.setenv("MLPIPE_SETTLE_SECONDS", "3600")

    def grow(_: float) -> None:
        with growing.open("a") as handle:
            handle.write(f"{order('o3')}\n")

    monkeypatch.setattr(time, "sleep", grow)
    found = take(lake)
    monkeypatch.setenv("MLPIPE_SETTLE_SECONDS", "0")

    assert found.waiting == ["growing.csv"]
    assert [d.source_file for d in found.new] == ["whole.csv"]
    assert [d.received for d in take(lake).new] == [2]


def test_a_file_that_changes_while_it_is_read_waits_and_leaves_nothing(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    drop(lake, "orders.csv", orders_csv(order("o1")))
    monkeypatch.setattr(DropZone, "unchanged", lambda *_: False)

    found = take(lake)

    assert (found.waiting, found.new) == (["orders.csv"], [])
    assert not list((lake.root / "raw" / "_events").rglob("*.parquet*"))
    assert not list((lake.root / "meta" / "deliveries").rglob("*"))[1:]


def test_files_that_cannot_be_read_are_named_with_the_reason_while_others_go_on(lake: Lake, tmp_path: Path) -> None:
    drop(lake, "good_2026-01-05.csv", orders_csv(order("o1")))
    drop(lake, "cut.csv.gz", gzip.compress(orders_csv(order("o2")).encode())[:-9])
    drop(lake, "binary.csv", b"\x00\x01\x02")
    drop(lake, "notes.docx", b"PK")
    drop(lake, "broken.parquet", b"PAR1")
    drop(lake, "empty.xlsx", b"")
    folder = lake.root / "raw" / "orders"
    (folder / "folder.csv").mkdir()
    os.mkfifo(folder / "pipe.csv")
    outside = tmp_path / "secret.csv"
    outside.write_text(orders_csv(order("o9")))
    (folder / "link.csv").symlink_to(outside)
    (folder / "dangling.csv").symlink_to(folder / "gone.csv")
    (folder / "elsewhere").symlink_to(tmp_path, target_is_directory=True)
    (folder / ".hidden.csv").write_text("x")
    (folder / "coming.csv.part").write_text("x")

    found = take(lake)

    told = reasons(found)
    assert {name: told[name] for name in ("folder.csv", "pipe.csv", "link.csv", "dangling.csv", "elsewhere")} == {
        "folder.csv": "is a folder, not a file",
        "pipe.csv": "is not a regular file",
        "link.csv": "is a link that leads out of the drop zone",
        "dangling.csv": "cannot be opened: No such file or directory",
        "elsewhere": "is a link to a folder, which is not followed",
    }
    assert "is of no format we read (.csv" in told["notes.docx"]
    assert set(told) - {"folder.csv", "pipe.csv", "link.csv", "dangling.csv", "elsewhere", "notes.docx"} == {
        "cut.csv.gz",
        "binary.csv",
        "broken.parquet",
        "empty.xlsx",
    }
    assert all(len(reason) <= 300 for reason in told.values())
    assert events(lake)["source_file"].to_list() == ["good_2026-01-05.csv"]
    assert reasons(take(lake)) == told  # and they are named again, as long as they lie there


def test_a_file_without_permission_is_named_while_others_go_on(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    drop(lake, "good.csv", orders_csv(order("o1")))
    drop(lake, "locked.csv", orders_csv(order("o2")))
    monkeypatch.setattr(os, "access", lambda path, _: not f"{path}".endswith("locked.csv"))  # root may read everything

    found = take(lake)

    assert reasons(found) == {"locked.csv": "cannot be opened: Permission denied"}
    assert [d.source_file for d in found.new] == ["good.csv"]


def test_a_file_that_breaks_off_while_it_is_read_is_named_while_others_go_on(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    drop(lake, "a.csv", orders_csv(order("o1")))
    drop(lake, "b.csv", orders_csv(order("o2")))
    real = received.received_blocks

    def read(path: Path, source: Source, files: Files) -> object:
        if path.name == "a.csv":
            raise OSError(5, "Input/output error")
        return real(path, source, files)

    monkeypatch.setattr(drop_zone, "received_blocks", read)
    found = take(lake)

    assert reasons(found) == {"a.csv": "cannot be read: Input/output error"}
    assert [d.source_file for d in found.new] == ["b.csv"]


def test_a_file_whose_name_is_not_text_is_named_while_others_go_on(lake: Lake) -> None:
    drop(lake, "good.csv", orders_csv(order("o1")))
    path = os.fsencode(lake.root / "raw" / "orders") + b"/orders_\xff.csv"
    with open(path, "wb") as handle:
        handle.write(orders_csv(order("o2")).encode())

    found = take(lake)

    assert reasons(found) == {r"orders_\xff.csv": "has a name that is not UTF-8; rename it"}
    assert [d.source_file for d in found.new] == ["good.csv"]


def test_the_check_names_what_could_not_be_read_and_the_report_has_it_too(lake: Lake) -> None:
    drop(lake, "orders_2026-01-05.csv", orders_csv(order("o1")))
    drop(lake, "notes.pdf", b"%PDF")

    run = materialize(lake, JAN_5)

    check = run.checks["raw/orders:files_are_readable"]
    assert (check.passed, check.severity) == (False, dg.AssetCheckSeverity.ERROR)
    assert str(check.description).startswith("notes.pdf: is of no format we read")
    assert run.report["validation_passed"] is False
    assert run.report["errors"] == [f"raw/orders: {check.description}"]
    assert run.materialized["interim/orders"] == ["2026-01-05"]


def test_a_late_file_touches_exactly_its_days(lake: Lake) -> None:
    days = [JAN_5, JAN_6, JAN_7]
    drop(lake, "early.csv", orders_csv(*(order(f"o{d.day}", f"{d}T08:00:00Z") for d in days)))
    materialize(lake, JAN_5, JAN_7)
    before = file_digests(lake.root, "interim", "raw/_events")
    drop(lake, "late.csv", orders_csv(order("o8", "2026-01-05T20:00:00Z"), order("o9", "2026-01-07T20:00:00Z")))

    run = materialize(lake, JAN_6)

    assert run.materialized["raw/orders"] == ["2026-01-05", "2026-01-06", "2026-01-07"]  # two touched, one asked for
    after = file_digests(lake.root, "interim", "raw/_events")
    new = [f"raw/_events/orders/date={day}" for day in (JAN_5, JAN_7)]
    assert sorted(path.rsplit("/", 1)[0] for path in after.keys() - before.keys()) == new
    assert all(after[path] == digest for path, digest in before.items())
    behind = [Ledger.load(lake, "orders").of_day(day) for day in days]
    assert [[d.source_file for d in day] for day in behind] == [
        ["early.csv", "late.csv"],
        ["early.csv"],
        ["early.csv", "late.csv"],
    ]


def test_rows_without_a_readable_event_time_are_quarantined_under_the_day_they_arrived(lake: Lake) -> None:
    drop(
        lake,
        "orders_2026-01-07.csv",
        orders_csv(order("o1"), order("o2", "soon"), order("o3", ""), order("o4", "50-01-01")),
    )

    found = take(lake)

    name, unread = "orders_2026-01-07.csv", "order_ts: cannot be read as a time"
    expected = refusals((JAN_7, name, 3, unread), (JAN_7, name, 4, "order_ts: is null"), (JAN_7, name, 5, unread))
    assert_frame_equal(quarantined(lake), expected)
    assert (found.new[0].events, found.new[0].quarantined, found.new[0].received) == ({JAN_5: 1}, 3, 4)


FOREIGN = {
    "page.csv": "<html><body>Please log in.</body></html>",
    "page_of_lines.csv": "<!DOCTYPE html>\n<html>\n<body>Please, log in.</body>\n</html>\n",
    "notice.csv": "No data available",
    "notice_with_comma.txt": "Sorry, no rows\n",
    "cover.csv": "Report of 2026-01-05\n\n" + HEADER,
    "german.csv": "bestellung,kunde,zeit\n",
    "another_table.csv": "a,b\n1,2\n3,4\n",
    "mail.csv": "From: shop@example.org\nSubject: orders, as asked\n\nSee attachment.\n",
    "half_a_header.csv": "order_id,customer_id\n",
    "report.csv": "%PDF-1.7\n%obj\n",
    "feed.csv": '<?xml version="1.0"?>\n<orders><order id="1"/></orders>\n',
    "error.json": '{"error": "token expired"}',
    "errors.json": '[{"error": "token expired"}]',
    "object.json": "{}",
    "wrapped.json": '{"data": [{"order_id": "o1"}, {"order_id": "o2"}]}',
    "deep.json": '{"meta": {"n": 1}, "result": {"items": [{"order_id": "o1"}]}}',
    "null.json": "null",
    "by_columns.json": '{"order_id": ["o1", "o2"], "customer_id": ["c1", "c2"]}',
    "by_columns_and_row.json": '{"order_id": {"0": "o1", "1": "o2"}, "customer_id": {"0": "c1", "1": "c2"}}',
    "by_key.json": '{"o1": {"order_id": "o1"}, "o2": {"order_id": "o2"}}',
    "table.json": '{"columns": ["order_id"], "rows": [["o1"], ["o2"]]}',
    "list_of_lists.json": '[{"order_id": "o1", "customer_id": "c1"}, [{"order_id": "o2"}, {"order_id": "o3"}]]',
    "page.json": "<html>\n<body>Please log in</body>\n</html>",
}


@pytest.mark.parametrize(
    "source", [orders, customers, replace(orders, prepare=lambda text: text)], ids=["events", "snapshot", "prepared"]
)
@pytest.mark.parametrize("name", FOREIGN)
def test_a_file_that_has_nothing_in_common_with_the_contract_is_unreadable(
    lake: Lake, name: str, source: Source
) -> None:
    drop(lake, name, FOREIGN[name], source=source.name)

    found = take(lake, source)

    assert found.new == []
    assert list(reasons(found)) == [name]
    assert "Please" not in reasons(found)[name].replace("deliver", "")


@pytest.mark.parametrize("name", ["orders_2026-01-07.csv", "orders_2026-01-07.json"])
def test_a_header_alone_or_an_empty_list_is_a_delivery_of_no_rows(lake: Lake, name: str) -> None:
    drop(lake, name, HEADER if name.endswith("csv") else "[]")

    found = take(lake)

    assert found.problems == []
    assert [d.received for d in found.new] == [0]


def test_the_list_that_wraps_the_records_is_named_with_what_to_declare(lake: Lake) -> None:
    for name in ("wrapped.json", "deep.json"):
        drop(lake, name, FOREIGN[name])
    drop(lake, "one_line.jsonl", json_order("o1") + "\n" + FOREIGN["wrapped.json"])
    found = reasons(take(lake))
    drop(lake, "pages.json", FOREIGN["wrapped.json"] + FOREIGN["wrapped.json"])
    declared = take(lake, replace(orders, feed=Files(records="data")))

    assert "a list of objects at 'data'" in found["wrapped.json"]
    assert "declare feed=Files(records='data') on source orders" in found["wrapped.json"]
    assert "declare feed=Files(records='result.items')" in found["deep.json"]
    assert "declare feed=Files(records='data')" in found["one_line.jsonl"]
    assert [(d.source_file, d.received) for d in declared.new] == [("pages.json", 4)]


def test_a_list_under_a_name_that_may_be_a_value_is_reported_without_the_name(lake: Lake) -> None:
    drop(lake, "by_name.json", '{"data": {"Ann_Smith": [{"order_id": "o1"}]}}')

    [reason] = reasons(take(lake)).values()

    assert "holds a list of objects. If these are the records, declare where by feed=Files(records=...)" in reason
    assert "Ann" not in reason


def json_order(key: str) -> str:
    return json.dumps({"order_id": key, "order_ts": "2026-01-05T10:00:00Z", "items": [{"s": 1}]})


def test_the_first_snapshot_without_a_date_stands_for_all_days_since_the_start(lake: Lake) -> None:
    drop(lake, "customers.csv", CUSTOMERS + ANNA + "broken\n", source="customers")
    first = take(lake, customers)
    drop(
        lake,
        "customers.csv",
        CUSTOMERS + ANNA.replace("30", "31"),
        source="customers",
        modified=datetime(2026, 2, 3, 9, tzinfo=UTC),
    )
    second = take(lake, customers)

    assert (first.new[0].backdated, first.new[0].events) == (True, {START_DATE: 1})
    assert (second.new[0].backdated, second.new[0].events) == (False, {date(2026, 2, 3): 1})
    assert quarantined(lake, "customers")["event_date"].to_list() == [START_DATE]


def test_a_back_dated_snapshot_is_shown_in_the_metadata(lake: Lake) -> None:
    drop(lake, "customers.csv", CUSTOMERS + ANNA, source="customers")

    run = materialize(lake, START_DATE, source=customers)

    assert run.report["tables"]["raw/customers"]["backdated_to_the_start"] == ["customers.csv"]
    assert lake.read("interim", "customers", START_DATE)["customer_id"].to_list() == ["c1"]


def test_what_a_person_should_check_is_metadata_of_the_checks(lake: Lake) -> None:
    drop(lake, "c_2025-12-20.csv", CUSTOMERS + ANNA + ANNA.replace("c1", "c2"), source="customers")
    drop(lake, "c_2026-01-02.csv", CUSTOMERS + ANNA.replace("c1", "c3"), source="customers")

    run = materialize(lake, START_DATE, date(2026, 1, 2), source=customers)

    assert run.checks["raw/customers:files_are_readable"].metadata["misdated"].value == (
        "1 file is not taken at the date in the name: c_2025-12-20.csv (known 2025-12-20T23:59:59Z by its date in the name; "
        "before 2026-01-01 (MLPIPE_START_DATE), so the table holds from that day on). If that is wrong, deliver under a name "
        "with the right date, declare feed=Files(known_at=...) on customers where the name writes its date in another way, or set "
        "MLPIPE_START_DATE earlier"
    )
    (remark,) = list(run.checks["interim/customers:contract_holds"].metadata["remarks"].value)  # type: ignore[arg-type]
    assert remark == (
        "[2026-01-02] 2 of the 2 keys of the snapshot before, c_2025-12-20.csv, are not in c_2026-01-02.csv. They are taken "
        "as gone. If the file was cut short, deliver the whole one again"
    )


def test_a_dated_first_snapshot_is_of_its_day(lake: Lake) -> None:
    drop(lake, "customers_2026-01-06.csv", CUSTOMERS + ANNA, source="customers")

    assert take(lake, customers).new[0].events == {JAN_6: 1}


def test_events_outside_the_partitions_are_kept_and_reported(lake: Lake) -> None:
    lines = (order("o1", "2025-12-31T23:59:59Z"), order("o2"), order("o3", "2200-01-01T00:00:00Z"))
    drop(lake, "orders_2026-01-05.csv", orders_csv(*lines))

    run = materialize(lake, JAN_5)

    told = run.report["tables"]["raw/orders"]
    assert (told["before_start"], told["after_today"], told["accepted"], told["not_processed"]) == (1, 1, 1, 2)
    assert events(lake).height == 3
    assert run.materialized["raw/orders"] == ["2026-01-05"]
    assert order_ids(lake, JAN_5) == ["o2"]


def test_json_numbers_keep_their_digits(lake: Lake) -> None:
    numbers = {"a": "1.10", "b": "0.30", "c": "1234567890123456.78", "d": "1e2"}
    rest = '"customer_id":"c1","order_ts":"2026-01-05T10:00:00Z","quantity":1,"product_id":"P00001","channel":"web","region":"north"'
    lines = [f'{{"order_id":"{key}","amount":{number},{rest}}}' for key, number in numbers.items()]
    drop(lake, "orders_2026-01-05.jsonl", "".join(f"{line}\n" for line in lines))
    take(lake)

    build(lake, [JAN_5])

    assert events(lake)["payload"].to_list() == lines
    exact = pl.Series("amount", ["1.10", "0.30", "1234567890123456.78"]).cast(pl.Decimal(18, 2))
    stored = lake.read("interim", "orders", JAN_5, ["order_id", "amount"])
    assert_frame_equal(stored, pl.DataFrame({"order_id": ["a", "b", "c"], "amount": exact}))
    assert quarantined(lake)["reasons"].to_list() == ["amount: not a number with at most 2 decimals"]


def test_a_file_too_large_for_memory_becomes_the_same_events(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = [order(f"o{i}", f"2026-01-{5 + i % 3:02}T10:00:00Z") for i in range(300)] + ["broken"]
    lakes = [Lake(data_dir=f"{tmp_path}/{name}") for name in ("small", "large")]
    monkeypatch.setattr(received, "read_blocks", lambda path, options: read_blocks(path, options, block_bytes=1 << 10))
    for lake, limit in zip(lakes, (96 << 20, 1), strict=True):
        monkeypatch.setattr(placement, "_SPILL_BYTES", limit)
        drop(lake, "orders_2026-01-05.csv", orders_csv(*lines))
        take(lake)

    small, large = map(events, lakes)
    assert_frame_equal(small, large)
    assert_frame_equal(*map(quarantined, lakes))
    assert small.height == 300


def by_number(text: pl.DataFrame) -> pl.DataFrame:
    return text.with_columns(order_id=pl.col("number"))


def test_a_source_whose_prepare_needs_a_column_names_it(lake: Lake) -> None:
    drop(lake, "orders.csv", orders_csv(order("o1")))

    said = reasons(take(lake, replace(orders, prepare=by_number)))["orders.csv"]

    assert said == (
        'lacks a column that the prepare function of orders needs: unable to find column "number"; '
        "it has order_id, customer_id, order_ts, amount, quantity, 3 more of the contract"
    )


def test_of_a_header_that_is_a_row_of_data_a_prepare_function_tells_nothing(lake: Lake) -> None:
    drop(lake, "orders.csv", "Ann Smith,1.50\nBob Jones,2.50\n")

    said = reasons(take(lake, replace(orders, prepare=by_number)))["orders.csv"]

    assert said == (
        'lacks a column that the prepare function of orders needs: unable to find column "number"; '
        "it has 2 columns, none of them of the contract"
    )


@pytest.mark.parametrize("page", ["<!DOCTYPE html>\n<p>Please log in</p>\n", "<html><body>Please log in</body></html>"])
def test_a_page_is_known_for_one_before_a_prepare_function_sees_it(lake: Lake, page: str) -> None:
    drop(lake, "orders.csv", page)

    said = reasons(take(lake, replace(orders, prepare=by_number)))["orders.csv"]

    assert said.startswith("a page (HTML or XML), and none of its lines is a row of orders (order_id, customer_id, ")


@pytest.mark.parametrize(
    ("prepare", "said"),
    [
        (lambda text: text.columns.index("number"), "failed: ValueError: '…' is not in list"),
        (lambda _: None, "returned a NoneType, not a DataFrame"),
        (lambda text: text.lazy(), "returned a LazyFrame, not a DataFrame"),
        (lambda text: text.head(1), "returned 1 rows for 2"),
        (lambda text: text.with_columns(pl.col("quantity").cast(pl.Int64)), "returned quantity as Int64, not as text"),
    ],
)
def test_a_prepare_function_that_fails_is_named_and_the_rest_goes_on(lake: Lake, prepare: Any, said: str) -> None:
    drop(lake, "orders.csv", orders_csv(order("o1"), order("o2")))

    found = take(lake, replace(orders, prepare=prepare))

    assert found.new == []
    assert f"the prepare function of orders {said}" in reasons(found)["orders.csv"]
