"""mlpipe reproduce: a model built again from what it was made of, and held to what is on record."""

import argparse
import json
import os
import shutil
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

from mlpipe_assets.automation.reproducing import reproduce as build_again
from mlpipe_assets.commands.console import make_console, open_lake, plain, print_lines
from mlpipe_assets.engines.registry import open_engine
from mlpipe_assets.settings import read_settings


def reproduce(options: argparse.Namespace) -> int:
    """Build a version again; 0 when it is equal, 1 when it differs."""
    lake, catalog = open_lake()
    model = catalog.model(options.model)
    kept = Path(options.into).absolute() if options.into else None
    folder = kept or lake.root.with_name(f".{lake.root.name}.reproduce-{os.getpid()}")
    try:
        engine = open_engine(read_settings().memory_limit)
        found = build_again(lake, engine, catalog, model, options.version, folder, now=datetime.now(tz=UTC))
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
        return 0
    console.print(f"{what}, differs", soft_wrap=True)
    print_lines(make_console(), "[bold red]differs:[/]", found.differences, whole=True)
    return 1
