"""mlpipe accept and mlpipe rollback: what the person on duty decides, on record with a reason."""

import argparse
from datetime import date

from mlpipe_assets.catalog.declarations import Source
from mlpipe_assets.commands.calling import command
from mlpipe_assets.commands.console import make_console, open_lake, plain
from mlpipe_assets.errors import LakeError, SettingsError
from mlpipe_assets.intake.deliveries import Ledger
from mlpipe_assets.partitions import days_between, existing_days, spell_days
from mlpipe_assets.serving.parity_gate import PARITY_TABLE
from mlpipe_assets.store.acceptances import accept as put_on_record
from mlpipe_assets.store.lake import Lake
from mlpipe_assets.training.champions import roll_back
from mlpipe_assets.training.versions import trusted_types


def accept(options: argparse.Namespace) -> int:
    """Take days of a source as they are, or what was answered online of some days."""
    lake, catalog = open_lake(writing=True)
    named = options.source.removeprefix("interim/").removeprefix("raw/")  # as messages call its tables
    source = None if options.source == PARITY_TABLE else catalog.source(named)
    name, table = (source.name, f"interim/{source.name}") if source else (PARITY_TABLE, PARITY_TABLE)
    if not options.reason.strip():
        raise SettingsError("--reason is empty. Say why the day is right as it is; it stays on record.")
    first, dots, last = options.day.partition("..")
    try:
        wanted = days_between(date.fromisoformat(first), date.fromisoformat(last if dots else first))
    except ValueError:
        raise SettingsError(
            f"{options.day!r} is not a day. Write it as 2026-01-31, or 2026-01-05..2026-01-09."
        ) from None
    days = existing_days([f"{day}" for day in wanted], table)
    if not days:
        raise SettingsError(f"{options.day!r} holds no day: the last lies before the first.")
    refused = lake.state(*table.split("/")).refused
    standing = [day for day in days if not (_may_be_accepted(lake, source, day) if source else day in refused)]
    taken = [day for day in days if day not in standing]
    console = make_console(options)
    if taken:
        put_on_record(lake, name, taken, options.reason.strip())
        console.print(
            f"Accepted {name} {spell_days(taken)}: {plain(options.reason.strip())}. It holds for what has come so far. "
            f"Next: {plain(command())} run",
            soft_wrap=True,
        )
    if standing:
        console.print(
            f"{name} {spell_days(standing)}: was not refused, so there is nothing to accept and nothing was recorded.",
            soft_wrap=True,
        )
    return 0


def _may_be_accepted(lake: Lake, source: Source, day: date) -> bool:
    """Whether a day was refused, or nothing came for it where something must.

    Raises: LakeError for a day whose events are damaged: no decision of a person brings its rows back.
    """
    if refusal := lake.state("interim", source.name).refused.get(day):
        if "lost" in refusal:
            raise LakeError(f"interim/{source.name} {day} cannot be accepted: {refusal['problem']}")
        return True
    came = bool(Ledger.load(lake, source.name).of_day(day)) or lake.has("interim", source.name, day)
    return not came and not source.empty_days


def rollback(options: argparse.Namespace) -> int:
    """Make the previous champion champion again."""
    lake, catalog = open_lake(writing=True)
    model = catalog.model(options.model)
    if not options.reason.strip():
        raise SettingsError("--reason is empty. Say why the champion has to go; it stays on record.")
    restored = roll_back(lake, model.name, options.reason.strip(), trusted_types(model))
    make_console(options).print(
        f"The champion of {model.name} is {restored.version} again, trained as of {restored.as_of}. `mlpipe run` lets it "
        "predict the newest day again; predictions of the days before stay as they were made.",
        soft_wrap=True,
    )
    return 0
