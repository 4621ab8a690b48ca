"""What the catalog says of a table: read off declarations, contracts and manifests."""

import json
from dataclasses import replace

from mlpipe_assets.catalog.contents import CATALOG
from mlpipe_assets.catalog.sources import orders
from mlpipe_assets.catalog.versions import source_version
from mlpipe_assets.data_catalog.entries import describe
from mlpipe_assets.data_catalog.entry import Entry
from mlpipe_assets.data_catalog.record import catalog_held, catalog_work, read_lines, spell_entries, write_entries
from mlpipe_assets.flow import tables_of
from mlpipe_assets.store import keys
from mlpipe_assets.store.lake import Lake


def test_there_is_an_entry_of_every_table_in_the_order_data_flows(entries: dict[str, Entry]) -> None:
    assert [*entries] == [table.key for table in tables_of(CATALOG) if table.key != "meta/catalog"]


def test_an_entry_says_what_a_row_is_what_the_table_holds_and_how_good_it_was(entries: dict[str, Entry]) -> None:
    clean = entries["interim/orders"]

    assert (clean.sql, clean.grain, clean.key) == ("stg.orders", "one order_id", ("order_id",))
    assert (clean.first, clean.newest, clean.partitions, clean.rows) == ("2026-01-05", "2026-01-06", 2, 3)
    assert clean.quality.days == (("2026-01-05", 2, 1, 0, False), ("2026-01-06", 1, 0, 0, False))
    assert (clean.quality.rows, clean.quality.quarantined, clean.quality.refused) == (3, 1, 0)


def test_a_table_without_a_partition_says_so(entries: dict[str, Entry]) -> None:
    features = entries["features/customer_features"]

    assert (features.newest, features.rows, features.quality.since) == (None, 0, None)


def test_personal_columns_are_named(entries: dict[str, Entry]) -> None:
    assert entries["interim/customers"].personal == ("email",)
    assert "personal data" in entries["interim/customers"].tags


def test_a_feature_says_which_columns_it_comes_from(entries: dict[str, Entry]) -> None:
    made = {column.name: column.made_of for column in entries["features/customer_features"].columns}

    assert made["age"] == ("interim/customers.age",)
    assert "interim/orders.amount" in made["revenue_90d"]


def test_a_label_says_which_columns_it_comes_from(entries: dict[str, Entry]) -> None:
    labels = {
        model.name: next(
            column.made_of for column in entries[f"processed/{model.name}"].columns if column.name == "label"
        )
        for model in CATALOG.models
    }

    assert labels["spend_28d"] == ("interim/orders.amount",)
    assert "interim/orders.date" in labels["repeat_purchase"]  # by `exists`


def test_tables_say_what_they_are_made_of_and_what_is_made_of_them(entries: dict[str, Entry]) -> None:
    assert entries["interim/orders"].upstream == ("raw/orders",)
    assert "features/channel_features" in entries["interim/orders"].downstream
    assert all(entry.name in entries[name].downstream for entry in entries.values() for name in entry.upstream)


def test_words_of_a_declaration_make_no_new_version() -> None:
    tagged = replace(orders, tags=("sales", "gold"), show_rows=5)

    assert source_version(tagged) == source_version(orders)


def test_the_same_lake_gives_the_same_bytes_and_nothing_is_written_twice(
    two_days: Lake,
) -> None:
    entries = describe(two_days, CATALOG)
    assert spell_entries(entries) == spell_entries(describe(two_days, CATALOG))
    assert catalog_work(two_days, CATALOG, lambda _: True).days

    assert write_entries(two_days, entries)
    assert not write_entries(two_days, entries)

    path = two_days.root / keys.DATA_CATALOG
    assert [line["name"] for line in read_lines(path.read_bytes())] == [entry.name for entry in entries]
    assert json.loads(path.read_text().splitlines()[0])["stage"] == "raw"
    held = catalog_held(two_days)
    assert held is not None
    assert held.rows == len(entries)
    assert not catalog_work(two_days, CATALOG, lambda _: True).days


def test_a_catalog_that_was_changed_by_hand_is_written_again(two_days: Lake) -> None:
    write_entries(two_days, describe(two_days, CATALOG))
    path = two_days.root / keys.DATA_CATALOG
    right = path.read_bytes()
    path.write_text("{}\n")

    assert catalog_work(two_days, CATALOG, lambda _: True).days
    assert write_entries(two_days, describe(two_days, CATALOG))
    assert path.read_bytes() == right
