"""What a lake in a bucket consists of, as it is spelled and read again."""

import json

import pytest

from mlpipe_assets.store.copies.inventory import (
    Inventory,
    Kept,
    digest_of,
    folder_of,
    parse_page,
    parse_root,
    spell_pages,
    spell_root,
)
from mlpipe_assets.store.objects import StoreError

PART = Kept("a" * 64, 10, 1_700_000_000_123_456_789)
FILES = {
    "interim/orders/date=2026-01-05/part.parquet": PART,
    "interim/orders/date=2026-01-06/part.parquet": PART,
    ".store/interim/orders/date=2026-01-06/part.aa.parquet": PART,
    "meta/alerts.json": Kept("b" * 64, 3, 5),
    "top.txt": PART,
    "meta/tables/interim.orders.json": PART,
    "meta/deliveries/orders/1.json": PART,
}


def test_a_folder_has_a_page_for_all_its_days() -> None:
    pages = spell_pages(FILES)

    assert {*pages} == {"interim/orders", "meta", ".", "meta/deliveries/orders"}
    assert [folder_of(key) for key in FILES] == ["interim/orders"] * 3 + ["meta", ".", "meta", "meta/deliveries/orders"]
    read: dict[str, Kept] = {}
    for page in pages.values():
        read |= parse_page(page, digest_of(page))
    assert read == FILES


def test_the_same_files_are_the_same_page_and_two_roots_never_alike() -> None:
    backwards = dict(reversed(FILES.items()))
    assert spell_pages(FILES) == spell_pages(backwards)
    assert parse_root(spell_root({"meta": "c" * 64}, 3)) == {"meta": "c" * 64}
    assert spell_root({}, 1) != spell_root({}, 1)


def test_all_that_a_lake_needs_is_its_files_and_its_pages() -> None:
    assert Inventory(files=FILES, pages={"meta": "c" * 64}).digests() == {"a" * 64, "b" * 64, "c" * 64}


@pytest.mark.parametrize(
    "rows", [[["../../.ssh/keys", "a" * 64, 1, 1]], [["/etc/passwd", "a" * 64, 1, 1]], [["a"]], {"a": 1}, 5]
)
def test_a_page_that_is_none_or_leads_outside_is_refused(rows: object) -> None:
    page = json.dumps(rows).encode()

    with pytest.raises(StoreError, match="The lake in the bucket cannot be read"):
        parse_page(page, digest_of(page))


def test_a_page_that_was_changed_is_refused() -> None:
    page = spell_pages(FILES)["meta"]

    with pytest.raises(StoreError, match="is damaged"):
        parse_page(page.replace(b"alerts", b"alarms"), digest_of(page))


@pytest.mark.parametrize(
    "root", [b"", b"[]", b"{}", b'{"format": 2, "pages": {}}', b'{"format": 1, "pages": {"meta": "short"}}', b"\xff"]
)
def test_a_root_that_is_none_or_of_a_newer_version_is_refused(root: bytes) -> None:
    with pytest.raises(StoreError, match=r"meta/root\.json is damaged, or was written by a newer version"):
        parse_root(root)
