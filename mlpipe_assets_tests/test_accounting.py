"""Rows received = accepted + duplicates + quarantined + what is kept and not processed, wherever a person can read it."""

import argparse
import json
from collections.abc import Mapping, Sequence
from contextlib import redirect_stdout
from dataclasses import replace
from io import StringIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from mlpipe_assets.automation.catch_up import Summary
from mlpipe_assets.catalog.declarations import Catalog, Tolerance
from mlpipe_assets.catalog.sources import orders
from mlpipe_assets.commands.summary import tell_summary
from mlpipe_assets.status import partitions
from mlpipe_assets.store.lake import Lake
from mlpipe_assets_tests.frames import JAN_5, JAN_8, drop, materialize, order, orders_csv, take

# What a line may come to. Each file is known on the 6th, so that the 8th lies ahead of it.
LINES = {
    "good": order("o{n}"),
    "of the next day": order("o{n}", "2026-01-06T10:00:00Z"),
    "the same key again": order("o0"),
    "refused by the contract": order("o{n}", amount="-1"),
    "cut off on arrival": "o{n},c1",
    "without a time": order("o{n}", "soon"),
    "before the partitions": order("o{n}", "2025-12-30"),
    "after today": order("o{n}", "2200-01-01"),
    "after its file was known": order("o{n}", "2026-01-08T10:00:00Z"),
}
TOLERANT = replace(orders, tolerance=Tolerance(share=1.0), duplicate_tolerance=Tolerance(share=1.0))
PARTS = ("accepted", "duplicates", "quarantined", "not_processed")


def adds_up(counts: Mapping[str, Any]) -> bool:
    return bool(counts["received"] == sum(counts.get(part) or 0 for part in PARTS))


def summary_of(lake: Lake, catalog: Catalog) -> dict[str, dict[str, Any]]:
    """What `mlpipe run --json` says of each table."""
    said = StringIO()
    with redirect_stdout(said):
        tell_summary(Console(), lake, catalog, Summary(), 0.0, argparse.Namespace(json=True))
    return {table["table"]: table for table in json.loads(said.getvalue())["tables"]}


@given(files=st.lists(st.lists(st.sampled_from(sorted(LINES)), max_size=8), min_size=1, max_size=3))
@settings(max_examples=6)
def test_whatever_comes_every_place_that_counts_rows_adds_up(files: Sequence[Sequence[str]]) -> None:
    with TemporaryDirectory() as folder:
        lake, catalog = Lake(data_dir=folder), Catalog(sources=(TOLERANT,), sql_dir=Path(folder))
        for number, kinds in enumerate(files):
            lines = [LINES[kind].format(n=10 * number + line) for line, kind in enumerate(["good", *kinds], start=1)]
            drop(lake, f"orders_2026-01-06_{number}.csv", orders_csv(*lines))
        sent = sum(1 + len(kinds) for kinds in files)  # of a file without a single good line, none is taken

        run = materialize(lake, JAN_5, JAN_8, source=TOLERANT)

        status = list(partitions(lake, catalog))
        raw = [p for p in status if p.table == "raw/orders"]
        assert all(adds_up(vars(p)) for p in status)
        assert len({(p.table, p.date) for p in status}) == len(status)
        assert sum(p.received or 0 for p in raw) == sent
        clean = [p.received for p in status if p.table == "interim/orders"]
        assert sum(map(int, filter(None, clean))) == sent - sum(p.not_processed or 0 for p in raw)

        for table in sorted({p.table for p in status}):  # without a row to process there is no interim
            own = [p for p in status if p.table == table]
            totals = {name: sum(getattr(p, name) or 0 for p in own) for name in ("received", *PARTS)}
            check = run.checks[f"{table}:rows_are_accounted_for"]
            assert check.passed
            shown, report = check.metadata["run"].value, run.report["tables"][table]
            summary = summary_of(lake, catalog)[table]
            for counts in (shown, report, summary | {"accepted": summary["rows"]}):
                assert isinstance(counts, dict)
                assert {name: counts.get(name) or 0 for name in totals} == totals


def test_a_day_with_rows_of_both_kinds_is_one_line_of_status(lake: Lake) -> None:
    drop(lake, "orders_2026-01-06.csv", orders_csv(order("o1"), order("o2", "2026-01-08"), order("o3", "2026-01-08")))
    drop(lake, "orders_2026-01-08.csv", orders_csv(order("o4", "2026-01-08")))
    take(lake)

    first, last = partitions(lake, Catalog(sources=(orders,), sql_dir=lake.root))

    assert (first.received, first.accepted, first.not_processed, first.note) == (1, 1, 0, None)
    assert (last.received, last.accepted, last.not_processed) == (3, 1, 2)
    assert last.note == "2 rows dated after their file was known: kept, not processed"
