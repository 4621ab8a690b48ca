"""mlpipe sample: the files of the built-in example."""

import argparse

from mlpipe_assets.commands.calling import command
from mlpipe_assets.commands.console import (
    deliver_to_bucket,
    expect_main,
    make_console,
    open_lake,
    plain,
    spell_place,
    takes_sample,
)
from mlpipe_assets.errors import LakeError, SettingsError
from mlpipe_assets.sample import write_sample
from mlpipe_assets.store import keys

_LIMITS = {  # of what a machine holds in memory, and a calendar has
    "days": (1, 3_660),
    "orders_per_day": (1, 100_000),
    "customers": (1, 10_000_000),
    "seed": (0, 2**63),
}


def sample(options: argparse.Namespace) -> int:
    """Write the sample into the drop zone."""
    expect_main("mlpipe sample")
    for name, (least, most) in _LIMITS.items():
        value = getattr(options, name)
        if not least <= value <= most:
            limit = f"at least {least:,}" if value < least else f"at most {most:,}"
            raise SettingsError(f"--{name.replace('_', '-')} is {value:,}; it takes {limit}.")
    lake, catalog = open_lake(begin=True, writing=True)
    if not takes_sample(catalog):
        raise SettingsError(
            "The sample is of a shop's orders and customers, and this project's catalog declares no such sources. Nothing was "
            "written. For a project with them: mlpipe init shop"
        )
    try:
        counts = write_sample(
            lake.root,
            days=options.days,
            orders_per_day=options.orders_per_day,
            customers=options.customers,
            seed=options.seed,
        )
    except OSError as error:
        raise LakeError(f"Cannot write the sample below {lake.root}: {error.strerror}.") from error
    deliver_to_bucket()
    console = make_console(options)
    console.print(
        f"Wrote the sample into {spell_place(lake, keys.DROP_ZONE)}: {', '.join(f'{v:,} {k}' for k, v in counts.items())}",
        soft_wrap=True,
    )
    console.print(f"Next: {plain(command())} run")
    return 0
