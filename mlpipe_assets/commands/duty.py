"""mlpipe accept and mlpipe rollback: what the person on duty decides, on record with a reason."""

import argparse
from datetime import date

from mlpipe_assets.commands.console import command, make_console, open_lake, plain
from mlpipe_assets.errors import SettingsError
from mlpipe_assets.partitions import days_between, existing_days, spell_days
from mlpipe_assets.resources.acceptances import accept as put_on_record
from mlpipe_assets.resources.models import roll_back
from mlpipe_assets.resources.refusals import refused_days


def accept(options: argparse.Namespace) -> int:
    """Take days of a source as they are."""
    lake, catalog = open_lake()
    source = catalog.source(options.source)
    if not options.reason.strip():
        raise SettingsError("--reason is empty. Say why the day is right as it is; it stays on record.")
    first, _, last = options.day.partition("..")
    try:
        wanted = days_between(date.fromisoformat(first), date.fromisoformat(last or first))
    except ValueError:
        raise SettingsError(
            f"{options.day!r} is not a day. Write it as 2026-01-31, or 2026-01-05..2026-01-09."
        ) from None
    days = existing_days([f"{day}" for day in wanted], f"interim/{source.name}")
    if not days:
        raise SettingsError(f"{options.day!r} holds no day: the last lies before the first.")
    put_on_record(lake, source.name, days, options.reason.strip())
    console = make_console(options)
    console.print(
        f"Accepted {source.name} {spell_days(days)}: {plain(options.reason.strip())}. Next: {command()} run",
        soft_wrap=True,
    )
    standing = sorted({*days} & {*lake.days("interim", source.name)} - refused_days(lake, "interim", source.name))
    if standing:
        console.print(
            f"{spell_days(standing)}: stands already and was not refused. Rows it may get later are accepted as well.",
            soft_wrap=True,
        )
    return 0


def rollback(options: argparse.Namespace) -> int:
    """Make the previous champion champion again."""
    lake, catalog = open_lake()
    model = catalog.model(options.model)
    if not options.reason.strip():
        raise SettingsError("--reason is empty. Say why the champion has to go; it stays on record.")
    restored = roll_back(lake, model.name, options.reason.strip())
    make_console(options).print(
        f"The champion of {model.name} is {restored.version} again, trained as of {restored.as_of}. `mlpipe run` lets it "
        "predict the newest day again; predictions of the days before stay as they were made.",
        soft_wrap=True,
    )
    return 0
