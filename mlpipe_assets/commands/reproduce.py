"""mlpipe reproduce: a model, or what it has predicted, made again from what it was made of, and held to what is on record."""

import argparse
import json
import os
import shutil
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

from mlpipe_assets.automation.reproducing import reproduce as build_again
from mlpipe_assets.automation.reproducing import reproduce_predictions
from mlpipe_assets.commands.console import make_console, open_lake, plain, print_lines
from mlpipe_assets.engines.registry import open_engine
from mlpipe_assets.errors import SettingsError, spell_count
from mlpipe_assets.settings import read_settings


def reproduce(options: argparse.Namespace) -> int:
    """Build a version again, and let it predict a day again where one is named; 0 when all is equal, 1 when anything differs."""
    if options.day and options.version != "champion":
        raise SettingsError("Name a version or --day, not both: a day was predicted by the version that led then.")
    lake, catalog = open_lake()
    model = catalog.model(options.model)
    kept = Path(options.into).absolute() if options.into else None
    folder = kept or lake.root.with_name(f".{lake.root.name}.reproduce-{os.getpid()}")
    try:
        engine = open_engine(read_settings().memory_limit)
        now = datetime.now(tz=UTC)
        if options.day:
            found = reproduce_predictions(lake, engine, catalog, model, options.day, folder, now=now)
        else:
            found = build_again(lake, engine, catalog, model, options.version, folder, now=now)
    finally:
        if kept is None:
            shutil.rmtree(folder, ignore_errors=True)
    if options.json:
        told = {"model": model.name, "version": found.version.version, "inputs": found.inputs}
        equal = not found.differences
        print(json.dumps({**told, "equal": equal, **asdict(found)}, default=str))
        return int(not equal)
    console = make_console(options)
    what = f"models/{plain(model.name)} {plain(found.version.version)}, built again from its inputs as of {plain(found.inputs)}"
    if not found.differences:
        console.print(f"{what}, is equal: training set and model, byte for byte", soft_wrap=True)
        if options.day:
            console.print(f"{spell_count(found.rows, 'prediction')} of {options.day}, made again by it, are equal")
        return 0
    console.print(f"{what}, differs", soft_wrap=True)
    print_lines(make_console(), "[bold red]differs:[/]", found.differences, whole=True)
    return 1
