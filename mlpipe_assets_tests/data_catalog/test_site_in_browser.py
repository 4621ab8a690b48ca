"""The site in a real headless Chromium, opened from disk: wide, as narrow as a phone, and by keyboard."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from mlpipe_assets.data_catalog.entry import Entry
from mlpipe_assets.data_catalog.site import write_site
from mlpipe_assets.store.lake import Lake
from mlpipe_assets_tests.monitoring.test_report_in_browser import browser, open_page

pytestmark = pytest.mark.browser
__all__ = ["browser"]


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory, two_days: Lake, entries: dict[str, Entry]) -> Path:
    """The page to begin with."""
    return write_site(two_days, [*entries.values()], tmp_path_factory.mktemp("site"), datetime(2026, 1, 7, tzinfo=UTC))


def shown(page: object) -> Sequence[str]:
    """Names of the tables that are to be seen."""
    return page.locator("tr[data-words]:not([hidden]) th").all_inner_texts()  # type: ignore[attr-defined]


def test_a_search_leaves_the_tables_that_fit_and_forgives_a_typing_error(browser: Browser, index: Path) -> None:
    page, seen = open_page(browser, index)

    page.fill("#words", "emial")

    assert shown(page) == ["interim/customers"]
    assert page.inner_text("#found").startswith("1 of ")
    assert seen == [index.as_uri()]  # nothing else was asked for, and nothing complained


def test_a_table_is_found_and_opened_by_keyboard_alone(browser: Browser, index: Path) -> None:
    page, _ = open_page(browser, index)
    page.keyboard.press("Tab")
    page.keyboard.press("/")

    page.keyboard.type("email")
    page.keyboard.press("Enter")

    page.wait_for_url("**/interim.customers.html")
    assert page.inner_text("h1") == "interim/customers"
    page.click("nav a")
    page.wait_for_url("**/index.html")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", ["index.html", "features.customer_features.html"])
def test_nothing_is_wider_than_a_phone(browser: Browser, index: Path, name: str, scheme: str) -> None:
    page, seen = open_page(browser, index.with_name(name), scheme, width=360)  # type: ignore[arg-type]

    assert page.evaluate("document.documentElement.scrollWidth") == 360
    assert len(seen) == 1


def test_a_thousand_tables_can_be_searched(
    browser: Browser, two_days: Lake, entries: dict[str, Entry], out: Path
) -> None:
    one = entries["features/customer_features"]
    many = [replace(one, name=f"features/table_{number:04}") for number in range(1000)]
    page, _ = open_page(browser, write_site(two_days, many, out, datetime(2026, 1, 7, tzinfo=UTC)))

    page.fill("#words", "table 0417")

    assert shown(page) == ["features/table_0417"]
