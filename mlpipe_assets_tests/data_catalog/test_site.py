"""The site as files: what stands on the pages, and what never does."""

import re
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from mlpipe_assets.data_catalog.entry import Entry
from mlpipe_assets.data_catalog.site import write_site
from mlpipe_assets.errors import SettingsError
from mlpipe_assets.store.lake import Lake

NOW = datetime(2026, 1, 7, tzinfo=UTC)


def test_every_link_of_every_page_leads_to_a_page(two_days: Lake, entries: dict[str, Entry], out: Path) -> None:
    write_site(two_days, [*entries.values()], out, NOW)

    pages = {path.name: path.read_text() for path in out.iterdir()}
    links = {link.partition("#")[0] for page in pages.values() for link in re.findall(r'href="([^"]*)"', page)}
    assert links - {""} == {*pages}
    assert len(pages) == len(entries) + 1


def test_the_page_of_a_table_says_what_an_entry_says(two_days: Lake, entries: dict[str, Entry], out: Path) -> None:
    write_site(two_days, [*entries.values()], out, NOW)

    page = (out / "interim.orders.html").read_text()
    assert "one order_id" in page
    assert "3 rows, 2026-01-05 to 2026-01-06" in page
    assert "2 partitions since 2026-01-05: 3 rows, 1 in quarantine" in page
    assert 'href="features.channel_features.html"' in page


def test_rows_are_shown_where_they_are_declared_to_be_and_personal_columns_never(
    two_days: Lake, entries: dict[str, Entry], out: Path
) -> None:
    write_site(two_days, [*entries.values()], out, NOW)
    assert "o4" not in (out / "interim.orders.html").read_text()

    clean = entries["interim/orders"]
    hidden = tuple(replace(column, personal=column.name == "customer_id") for column in clean.columns)
    declared = replace(clean, show_rows=1, columns=hidden, personal=("customer_id",))
    write_site(two_days, [declared], out, NOW)

    page = (out / "interim.orders.html").read_text()
    assert ">o4<" in page
    assert "C00001" not in page
    assert "Left out are customer_id" in page


def test_a_column_made_of_a_personal_one_is_not_shown_however_far_it_is_from_it(
    two_days: Lake, entries: dict[str, Entry], out: Path
) -> None:
    clean, view = entries["interim/orders"], entries["features/customer_features"]
    of_email = tuple(replace(c, made_of=("interim/customers.email",)) for c in view.columns if c.name == "region")
    of_region = tuple(
        replace(c, made_of=("features/customer_features.region",)) if c.name == "customer_id" else c
        for c in clean.columns
    )
    shown = replace(clean, show_rows=1, columns=of_region)
    write_site(two_days, [entries["interim/customers"], replace(view, columns=of_email), shown], out, NOW)

    page = (out / "interim.orders.html").read_text()
    assert ">o4<" in page
    assert "C00001" not in page
    assert "Left out are customer_id: personal, or made of what is." in page


def test_what_a_declaration_says_is_no_mark_up(two_days: Lake, entries: dict[str, Entry], out: Path) -> None:
    clean = replace(entries["interim/orders"], description="<script>alert(1)</script>", tags=('"><img src=x>',))

    write_site(two_days, [clean], out, NOW)

    for page in out.iterdir():
        assert "<script>alert" not in page.read_text()
        assert "<img" not in page.read_text()


def test_pages_of_tables_that_are_gone_go(two_days: Lake, entries: dict[str, Entry], out: Path) -> None:
    write_site(two_days, [*entries.values()], out, NOW)
    write_site(two_days, [entries["raw/orders"]], out, NOW)

    assert {path.name for path in out.iterdir()} == {"index.html", "raw.orders.html"}


def test_a_folder_with_other_files_stays_as_it_is(two_days: Lake, entries: dict[str, Entry], out: Path) -> None:
    out.mkdir()
    (out / "thesis.tex").write_text("mine")

    with pytest.raises(SettingsError, match="holds other files"):
        write_site(two_days, [*entries.values()], out, NOW)
    assert [path.name for path in out.iterdir()] == ["thesis.tex"]
