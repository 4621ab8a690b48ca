"""The page: what it says, that it needs nothing else, and that it stays small."""

import base64
import itertools
import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandera.polars as pa
import polars as pl
import pytest

from mlpipe_assets.monitoring.deciding import SCHEMA
from mlpipe_assets.monitoring.evidence import pictures_as_markdown, verdicts_as_markdown
from mlpipe_assets.monitoring.histograms import Histogram
from mlpipe_assets.monitoring.read_back import read_history
from mlpipe_assets.monitoring.report import render_report
from mlpipe_assets.monitoring.table_history import DayState, TableHistory
from mlpipe_assets.store.lake import Lake
from mlpipe_assets_tests.monitoring.readings import Readings, measure, put, readings, readings_catalog, readings_lake
from mlpipe_assets_tests.planted import day

_DATA = re.compile(r"base64,([A-Za-z0-9+/=]+)")
VOID = {"meta", "link", "br", "img", "input", "hr"}
SHAPE = Histogram(labels=tuple(f"{i}" for i in range(24)), reference=tuple([1 / 24] * 24), current=tuple([1 / 24] * 24))


class Page(HTMLParser):
    """A page as its elements, checked to close what it opens."""

    def __init__(self, html: bytes) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[tuple[str, Mapping[str, str | None]]] = []
        self.text = ""
        self.feed(html.decode())
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += f" {data}"

    def all(self, tag: str) -> list[Mapping[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


def planted_history(table: str, columns: int, days: int, seed: int = 1) -> TableHistory:
    """Made-up measurements of the size of real ones; the second column drifts in the end."""
    chance = np.random.default_rng(seed)
    methods = ("null_share", "ks", "psi", "js", "jsd", "wasserstein", "shift", "difference")
    rows: list[dict[str, object]] = []
    states: list[DayState] = []
    for n in range(days):
        on = date(2026, 1, 28) + timedelta(days=n)
        late = n > days - 10
        for c in range(columns):
            for comparison in ("baseline", "previous"):
                value = float(abs(chance.normal(0.02, 0.01))) + (
                    0.2 if c == 1 and late and comparison == "baseline" else 0
                )
                shared: dict[str, object] = {
                    "table": table,
                    "date": on,
                    "comparison": comparison,
                    "column": f"column_{c}",
                    "n_reference": 1_400_000,
                    "n_current": 350_000,
                    "note": "",
                }
                verdict = "drift" if value >= 0.1 else "possible" if value >= 0.05 else "none"
                decided = {"method": "js_distance_above_noise", "value": value, "threshold": 0.1, "floor": 0.01}
                rows.append({**shared, **decided, "verdict": verdict})
                rows += [
                    {**shared, "method": m, "value": value / 2, "p_value": 0.012, "q_value": 0.05, "verdict": "none"}
                    for m in methods
                ]
        score = 1 / columns if late else 0.0
        states.append(DayState(day=on, score=score, drifting=late, bad=late))
    return TableHistory(
        table=table,
        retrain_above=0.05,
        days=tuple(states),
        rows=pl.DataFrame(rows, schema=SCHEMA, orient="row"),
        histograms={f"column_{c}": SHAPE for c in range(columns)},
        units={"column_1": "EUR"},
        reference="The baseline is frozen: 28 days.",
        frozen=True,
    )


def test_the_summary_names_what_drifts_and_by_how_much() -> None:
    page = Page(render_report([planted_history("interim/orders", 4, 20), planted_history("features/customers", 4, 5)]))
    assert page.text.count("1 column moved away from the baseline") == 2
    assert re.search(r"column_1 most: 0\.2\d+, 2\.\d times its threshold of 0\.1\.", page.text)
    assert " 0.25 " in page.text


@pytest.mark.parametrize(
    ("compared", "waiting", "said"),
    [
        (0, 2, "No table has a baseline to be held against yet."),
        (1, 2, "Nothing. The one table with a baseline did not move away from it."),
        (2, 1, "Nothing. None of the 2 tables with a baseline moved away from it."),
        (2, 0, "Nothing. None of the 2 tables with a baseline moved away from it."),
    ],
)
def test_the_summary_says_how_many_tables_did_not_move(compared: int, waiting: int, said: str) -> None:
    state = DayState(day=day(1), score=0.0, drifting=False, bad=False)
    still = replace(planted_history("interim/orders", 1, 1), days=(state,))
    without = replace(still, days=(replace(state, score=None),))
    tables = [still] * compared + [without] * waiting
    assert said in Page(render_report([replace(table, table=f"interim/t{n}") for n, table in enumerate(tables)])).text


def test_the_page_says_how_old_the_newest_day_is_and_when_it_was_written() -> None:
    html = render_report([planted_history("interim/orders", 2, 40)], written=datetime(2026, 3, 9, 4, 5, tzinfo=UTC))
    assert "Newest day 2026-03-08, 1 day old when this page was written: 2026-03-09 04:05 UTC." in Page(html).text


def test_a_table_whose_newest_day_is_older_than_that_of_others_is_named_with_its_day() -> None:
    fresh = planted_history("interim/orders", 2, 40)
    old = replace(planted_history("interim/customers", 2, 30), present=date(2026, 2, 26))
    behind = replace(old, table="features/customers", present=date(2026, 3, 8))

    changes = Page(render_report([fresh, old, behind])).text.partition("What changed")[2].partition("Tables")[0]

    assert "interim/customers of 2026-02-26, its newest: mlpipe status says why no later day came" in changes
    assert "features/customers of 2026-02-26, though it has days until 2026-03-08: mlpipe run measures them" in changes
    assert "interim/orders of" not in changes
    assert changes.count("(9 days), as of 2026-02-26") == 2
    assert "Not of the newest day" not in Page(render_report([old])).text


@pytest.mark.parametrize("lasts", [False, True])
def test_predictions_that_were_worse_for_a_day_or_two_are_shown_and_said_to_ask_for_nothing(*, lasts: bool) -> None:
    history = planted_history("predictions/repeat", 1, 3)
    performance = {
        "table": history.table,
        "date": history.days[-1].day,
        "comparison": "performance",
        "column": "overall",
        "method": "roc_auc",
        "value": 0.71,
        "threshold": 0.75,
        "n_reference": 100,
        "n_current": 90,
        "verdict": "drift",
        "note": "",
    }
    rows = pl.concat([history.rows, pl.DataFrame([performance], schema=SCHEMA)])
    days = (*history.days[:-1], replace(history.days[-1], bad=lasts, performance_bad=lasts))

    text = Page(render_report([replace(history, rows=rows, days=days)])).text

    assert "predictions come true less often than in the champion's test" in text
    assert "first seen on 2026-01-30" in text
    assert ("Without its oddest days it holds, so no retraining is asked for." in text) is not lasts


def test_refused_days_are_the_first_thing_told_with_what_to_do() -> None:
    refused = replace(planted_history("interim/orders", 2, 40), refused=(date(2026, 3, 1), date(2026, 3, 2)))
    page = Page(render_report([refused]))
    changes = page.text[page.text.index("What changed") : page.text.index("Tables")]
    assert changes.index("2 days were refused") < changes.index("1 column moved")
    assert "2026-03-01 to 2026-03-02" in changes
    assert "mlpipe accept orders DATE" in changes


def test_the_chance_of_a_value_stands_beside_its_threshold() -> None:
    text = " ".join(Page(render_report([planted_history("interim/orders", 1, 3)])).text.split())
    assert re.search(r"no drift 0\.0\d+ \(threshold 0\.1, chance up to 0\.01\)", text)


def test_the_distributions_of_what_moved_stand_open_and_come_first() -> None:
    page = Page(render_report([planted_history("interim/orders", 4, 40)]))
    assert next((fold["data-verdict"], "open" in fold) for fold in page.all("details")) == ("drift", True)
    assert sum("open" in fold for fold in page.all("details")) == 1


def test_columns_in_skew_are_counted_apart_from_columns_in_drift() -> None:
    history = planted_history("predictions/repeat", 4, 3)
    rows = history.rows.with_columns(comparison=pl.lit("skew"), verdict=pl.lit("drift")).unique(
        ["date", "column", "method"], maintain_order=True
    )
    unscored = tuple(replace(state, score=None, drifting=False, bad=False) for state in history.days)
    text = " ".join(Page(render_report([replace(history, rows=rows, days=unscored)])).text.split())
    assert "not measured skew 4 in skew" in text
    assert not re.search(r"\d in drift", text)


def test_text_from_data_is_text_on_the_page() -> None:
    evil = "<script>alert(1)</script>"
    history = planted_history("interim/orders", 1, 3)
    rows = history.rows.with_columns(column=pl.lit(evil), note=pl.lit(evil))
    page = Page(render_report([replace(history, rows=rows, reference=evil, table=f"interim/{evil}", histograms={})]))
    assert len(page.all("script")) == 1
    assert page.text.count(evil) > 4


def test_headings_landmarks_and_tables_can_be_followed_without_seeing() -> None:
    page = Page(render_report([planted_history("interim/orders", 3, 40)]))
    assert page.all("html")[0]["lang"] == "en"
    assert [len(page.all(tag)) for tag in ("header", "main", "h1")] == [1, 1, 1]
    levels = [int(tag[1]) for tag, _ in page.elements if re.fullmatch(r"h[1-6]", tag)]
    assert all(after - before <= 1 for before, after in itertools.pairwise(levels))
    assert all(cell.get("scope") in ("col", "row") for cell in page.all("th"))
    assert all(picture.get("aria-label") or picture.get("aria-hidden") == "true" for picture in page.all("svg"))
    assert all(button.get("type") == "button" for button in page.all("button"))
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    targets = [str(link["href"])[1:] for link in page.all("a")]
    assert set(targets) <= set(ids)
    referred = [str(section["aria-labelledby"]) for section in page.all("section")]
    assert set(referred) <= set(ids)


def test_a_verdict_is_a_word_and_a_shape_besides_a_colour() -> None:
    html = render_report([planted_history("interim/orders", 2, 20)]).decode()
    marks = set(re.findall(r'<span class="verdict (\w+)"><svg[^>]*><(\w+)[^>]*/></svg>([\w ]+)</span>', html))
    shapes = {(verdict, word) for verdict, _, word in marks}
    assert shapes == {("drift", "drift"), ("none", "no drift"), ("possible", "possible drift")}


def test_nothing_is_fetched() -> None:
    html = render_report([planted_history("interim/orders", 3, 40)]).decode()
    assert re.findall(r"(?:src|href)=[\"'](?!#)[^\"']*", html) == []
    assert re.findall(r"url\(|@import|https?://(?!www\.w3\.org/2000/svg)", html) == []


def test_the_page_of_four_tables_of_fifteen_columns_over_ninety_days_stays_below_two_megabytes() -> None:
    names = ("interim/orders", "interim/customers", "features/customers", "predictions/repeat")
    tables = [planted_history(name, 15, 90, seed) for seed, name in enumerate(names)]
    html = render_report(tables)
    assert len(html) < 2_000_000
    assert render_report(tables) == html


def test_the_page_without_anything_to_tell_says_so() -> None:
    empty = TableHistory(table="interim/orders", retrain_above=0.05, days=(), rows=pl.DataFrame(schema=SCHEMA))
    assert "Nothing was monitored yet." in Page(render_report([empty])).text
    assert "Nothing was monitored yet." in Page(render_report([])).text


def test_stored_days_become_a_page(tmp_path: Path) -> None:
    catalog = readings_catalog()
    lake = readings_lake(tmp_path, catalog, range(1, 7))
    put(lake, catalog, {n: readings(n, shift=1.0) for n in (7, 8)})
    measure(lake, catalog, range(1, 9))
    history = read_history(lake, catalog, catalog.monitors[0])
    assert [state.score for state in history.days] == [None, None, None, None, None, 0.0, 0.5, 0.5]
    assert history.days[-1].day == day(8)
    assert history.histograms["colour"].labels == ("blue", "red")
    assert history.reference == (
        f"The baseline is frozen: 4 days, 2026-01-01 to 2026-01-04, 1,200 rows (version "
        f"{history.reference.split('version ')[1][:16]}). Windows are of 2 days, the newest from 2026-01-07 to 2026-01-08."
    )
    page = Page(render_report([history]))
    assert "1 column moved away from the baseline" in page.text
    assert "since 2026-01-07 (2 days)" in page.text
    assert [fold["data-verdict"] for fold in page.all("details")] == ["drift", "none"]


def test_days_that_cannot_be_compared_yet_say_why(tmp_path: Path) -> None:
    catalog = readings_catalog()
    lake = readings_lake(tmp_path, catalog, range(1, 3))
    measure(lake, catalog, [1, 2])
    page = Page(render_report([read_history(lake, catalog, catalog.monitors[0])]))
    assert "Baseline not complete: 2 of 4 days." in page.text
    assert "No table has a baseline to be held against yet." in page.text


class Unlisted(Readings):
    """Readings whose colours nobody listed. Grain: reading_id."""

    colour: str = pa.Field(metadata={"drift": 0.1})


def test_texts_that_no_contract_lists_stand_in_no_page_picture_or_note(tmp_path: Path) -> None:
    def dyed(number: int, third: float = 0.0) -> pl.DataFrame:
        colour = pl.col("colour").replace({"red": "Ann Smith", "blue": "Bob Jones"})
        new = pl.int_range(pl.len()) < third * pl.len()
        return readings(number).with_columns(pl.when(new).then(pl.lit("Cid Brown")).otherwise(colour).alias("colour"))

    catalog = readings_catalog(Unlisted)
    lake = Lake(data_dir=str(tmp_path))
    put(lake, catalog, {number: dyed(number) for number in range(1, 7)})
    put(lake, catalog, {number: dyed(number, third=0.9) for number in (7, 8)})
    measure(lake, catalog, range(1, 9))

    history = read_history(lake, catalog, catalog.monitors[0])

    assert history.histograms["colour"].labels == ("category 1", "category 2", "category 3")
    assert history.histograms["colour"].current[0] == 0.9
    assert "new: a category (540 rows)" in "".join(history.rows["note"].drop_nulls())
    pictures = [
        base64.b64decode(found) for text in pictures_as_markdown(history).values() for found in _DATA.findall(text)
    ]
    assert pictures
    shown = [
        render_report([history]),
        verdicts_as_markdown(history).encode(),
        *pictures,
        history.rows.write_json().encode(),
    ]
    for name in (b"Ann", b"Bob", b"Cid"):
        assert not any(name in part for part in shown)
