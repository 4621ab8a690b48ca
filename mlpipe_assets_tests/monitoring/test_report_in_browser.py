"""The page in a real headless Chromium, opened from disk."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from mlpipe_assets.monitoring.report import render_report
from mlpipe_assets_tests.monitoring.test_report import planted_history

pytestmark = pytest.mark.browser
NAMES = ("chromium", "chromium-browser", "google-chrome")
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    found = next(filter(None, map(shutil.which, NAMES)), None)
    if found is None and not os.environ.get("MLPIPE_BROWSER_REQUIRED"):
        pytest.skip(f"no browser here: install one of {', '.join(NAMES)} to look at the report")
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=found or NAMES[0], args=ARGUMENTS)
        yield launched
        launched.close()


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("report") / "report.html"
    path.write_bytes(
        render_report([planted_history("interim/orders", 4, 40), planted_history("features/customers", 2, 40)])
    )
    return path


def open_page(
    browser: Browser, report: Path, scheme: Literal["light", "dark"] = "light", *, width: int = 1200
) -> tuple[Page, list[str]]:
    """The page, and whatever it asked for or complained of."""
    page = browser.new_context(color_scheme=scheme, viewport={"width": width, "height": 900}).new_page()
    seen: list[str] = []
    page.on("request", lambda request: seen.append(request.url))
    page.on("console", lambda message: seen.append(message.text))
    page.on("pageerror", lambda error: seen.append(f"{error}"))
    page.goto(report.as_uri())
    return page, seen


def focused(page: Page) -> str:
    """The focused control in words."""
    text: str = page.evaluate("(document.activeElement.getAttribute('aria-label') || document.activeElement.innerText)")
    return " ".join(text.split())


def test_it_opens_from_disk_and_asks_for_nothing_else(browser: Browser, report: Path) -> None:
    page, seen = open_page(browser, report)
    page.get_by_role("button", name="Open all columns").click()
    assert seen == [report.as_uri()]
    assert page.locator("details[open]").count() == 6
    assert page.locator("details[open] svg[role=img]").first.is_visible()


def test_dark_is_dark_and_light_is_light(browser: Browser, report: Path) -> None:
    read = "getComputedStyle(document.documentElement).backgroundColor"
    light, dark = (open_page(browser, report, scheme)[0] for scheme in ("light", "dark"))
    assert (light.evaluate(read), dark.evaluate(read)) == ("rgb(255, 255, 255)", "rgb(22, 26, 32)")
    assert light.screenshot() != dark.screenshot()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_from_its_ground(browser: Browser, report: Path, scheme: Literal["light", "dark"]) -> None:
    page, _ = open_page(browser, report, scheme)
    page.get_by_role("button", name="Open all columns").click()
    contrasts: dict[str, float] = page.evaluate(
        """() => {
        const light = (colour) => {
          const parts = colour.match(/[\\d.]+/g).slice(0, 3).map(Number).map((v) => v / 255)
            .map((v) => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
          return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2];
        };
        const ground = light(getComputedStyle(document.documentElement).backgroundColor);
        const found = {};
        for (const one of document.querySelectorAll("p, th, td, .verdict, a, caption, button, summary, text")) {
          const style = getComputedStyle(one);
          if (one.matches(".skip") || style.backgroundColor !== "rgba(0, 0, 0, 0)" && one.matches("[aria-pressed=true]")) continue;
          const ink = light(one.matches("text") ? style.fill : style.color);
          const [high, low] = ink > ground ? [ink, ground] : [ground, ink];
          found[one.tagName + "." + one.className] = (high + 0.05) / (low + 0.05);
        }
        return found; }"""
    )
    assert len(contrasts) > 8
    assert {name: ratio for name, ratio in contrasts.items() if ratio < 4.5} == {}


def test_the_tab_key_reaches_every_control_in_the_order_of_the_page(browser: Browser, report: Path) -> None:
    page, _ = open_page(browser, report)
    reached: list[str] = []
    for _step in range(19):
        page.keyboard.press("Tab")
        reached.append(focused(page).split(" against")[0])
    assert (
        reached
        == [
            "Skip to the tables",
            "interim/orders",  # what changed
            "features/customers",
            "Every monitored table on its newest day",
            "interim/orders",
            "features/customers",
            "Open all columns",
            "Close all columns",
            "Only columns that moved",
            "column_1",  # in drift, so it comes first and is open
            "column_1: every measurement of the newest day",
            "column_0",
            "column_2",
            "column_3",
            "column_1",
            "column_1: every measurement of the newest day",
            "column_0",
            *reached[17:],
        ]
    )
    outline = page.evaluate(
        "(() => { document.querySelector('summary').focus(); return getComputedStyle(document.activeElement).outlineStyle })()"
    )
    assert outline == "solid"


def test_a_column_opens_and_closes_with_the_keyboard(browser: Browser, report: Path) -> None:
    page, _ = open_page(browser, report)
    page.locator("summary").nth(1).focus()
    page.keyboard.press("Enter")
    assert page.locator("details").nth(1).get_attribute("open") == ""
    page.keyboard.press("Tab")
    assert focused(page) == "column_0: every measurement of the newest day"
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Space")
    assert page.locator("details").nth(1).get_attribute("open") is None


def test_the_skip_link_shows_when_it_has_the_focus_and_leads_to_the_tables(browser: Browser, report: Path) -> None:
    page, _ = open_page(browser, report)
    page.keyboard.press("Tab")
    assert page.locator(".skip").bounding_box()["y"] >= 0  # type: ignore[index]
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "tables"


def test_only_columns_that_moved_are_shown_on_demand_and_that_is_said(browser: Browser, report: Path) -> None:
    page, _ = open_page(browser, report)
    button = page.get_by_role("button", name="Only columns that moved")
    assert button.get_attribute("aria-pressed") == "false"
    button.focus()
    page.keyboard.press("Enter")
    assert button.get_attribute("aria-pressed") == "true"
    shown = [text.split()[0] for text in page.locator("details:visible .name").all_inner_texts()]
    assert "column_1" in shown
    assert len(shown) < 6
    assert page.get_by_role("status").inner_text() == f"{len(shown)} of 6 columns shown"


def test_nothing_but_tables_scrolls_sideways_on_a_phone(browser: Browser, report: Path) -> None:
    page, _ = open_page(browser, report, width=360)
    page.get_by_role("button", name="Open all columns").click()
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    boxes = [one.bounding_box() for one in page.locator("summary").first.locator("span.name, span.cell").all()]
    tops = [box["y"] for box in boxes if box]
    assert tops == sorted(set(tops))  # below one another, not on top of each other


def test_on_a_phone_a_row_is_a_card_whose_cells_are_named_and_no_cell_is_off_screen(
    browser: Browser, report: Path
) -> None:
    page, _ = open_page(browser, report, width=360)
    page.get_by_role("button", name="Open all columns").click()
    cell = page.locator("table.measures").first.locator("tbody td").nth(1)
    assert cell.evaluate("e => getComputedStyle(e, '::before').content") == '"Verdict"'
    rights = page.evaluate("[...document.querySelectorAll('td, .verdict')].map(e => e.getBoundingClientRect().right)")
    assert max(rights) <= 360


def test_it_can_be_read_without_script(browser: Browser, report: Path) -> None:
    page = browser.new_context(java_script_enabled=False).new_page()
    page.goto(report.as_uri())
    assert page.get_by_role("button", name="Open all columns").count() == 0
    page.locator("summary").nth(1).click()
    assert page.locator("details").nth(1).locator("figure").first.is_visible()
