"""mlpipe run: bring every stage up to date, for real or on a sample."""

import argparse
import logging
import time
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime
from pathlib import Path

import dagster as dg
from rich.console import Console

from mlpipe_assets.alerting.alerts import tell_alerts
from mlpipe_assets.alerting.channels import unusable
from mlpipe_assets.automation.catch_up import catch_up
from mlpipe_assets.automation.drift_windows import look_at_drift
from mlpipe_assets.automation.file_problems import problems_of_files
from mlpipe_assets.automation.freshness import freshness_of
from mlpipe_assets.automation.home import dagster_home, open_home
from mlpipe_assets.automation.problems import late_tables, skewed_features
from mlpipe_assets.automation.run_alerts import tell_of_runs
from mlpipe_assets.catalog.declarations import Catalog
from mlpipe_assets.catalog.loading import catalog_of
from mlpipe_assets.commands.console import (
    Progress,
    make_console,
    open_lake,
    plain,
    spell_place,
)
from mlpipe_assets.commands.dry_run import tell_what_would_run
from mlpipe_assets.commands.summary import tell_summary
from mlpipe_assets.errors import MlpipeError, SettingsError, spell_count
from mlpipe_assets.executors.registry import open_executor
from mlpipe_assets.flow import tables_of
from mlpipe_assets.partitions import START_DATE, last_partition
from mlpipe_assets.resources.instance import explaining_the_home
from mlpipe_assets.settings import read_settings
from mlpipe_assets.stages.raw.plan import look_at_intakes
from mlpipe_assets.store.lake import Lake

_log = logging.getLogger("mlpipe")
_DATA, _BUSY = 1, 75  # the second is sysexits' for what may be tried again
_OF_DATA = {"ingest_job", "daily_job"}


def run(options: argparse.Namespace) -> int:
    """Bring every stage up to date, or a sample of the entities somewhere else."""
    first, last = options.first or START_DATE, options.last or last_partition()
    if first > last or last < START_DATE or first > last_partition():
        raise SettingsError(
            f"No day lies between {first} and {last}; partitions run from {START_DATE} to {last_partition()}."
        )
    open_executor(read_settings().executor)  # one that is none is said before anything is done
    lake, catalog = open_lake(writing=not options.dry_run)
    console = make_console(options)
    if options.dry_run:
        return tell_what_would_run(console, lake, catalog, lambda day: first <= day <= last, options)
    if options.sample is not None:
        return _prototype(console, lake, catalog, options, lambda day: first <= day <= last)
    started = time.monotonic()
    loaded: list[dg.DagsterInstance] = []

    def load() -> tuple[dg.Definitions, dg.DagsterInstance]:
        definitions, instance = load_dagster()
        loaded.append(instance)
        return definitions, instance

    if lake.is_new and not options.json:
        console.print(f"{spell_place(lake)} was never used before: this is its first run.", soft_wrap=True)
    with explaining_the_home(dagster_home()), Progress(console, options):
        summary = catch_up(lake, catalog, load, lambda day: first <= day <= last)
        _alert(lake, catalog, loaded)
    urls = read_settings().alert_urls
    summary.warnings += [
        f"MLPIPE_ALERT_URLS: {name} is not understood, so it is told nothing" for name in unusable(urls)
    ]
    tell_summary(console, lake, catalog, summary, time.monotonic() - started, options)
    return _DATA if summary.errors else _BUSY if summary.busy else 0


def _alert(lake: Lake, catalog: Catalog, loaded: Sequence[dg.DagsterInstance]) -> None:
    """Tell of runs and checks that failed or healed just now and, where somebody listens, of tables that are late."""
    settings = read_settings()
    now = datetime.now(tz=UTC)
    try:
        tell_alerts(lake, settings, "files", problems_of_files(look_at_intakes(lake, catalog)), now)
        for instance in loaded:
            tell_of_runs(lake, catalog, settings, instance, now)
            looks = look_at_drift(lake, catalog, asks=False)
            if all(look.settled for look in looks):
                tell_alerts(lake, settings, "drift", [look.problem for look in looks if look.problem], now)
                tell_alerts(lake, settings, "skew", skewed_features(lake, catalog), now)
        if settings.alert_urls:
            tell_alerts(lake, settings, "freshness", late_tables(lake, catalog, freshness_of(lake, catalog, now)), now)
    except MlpipeError as error:
        _log.warning("alerts: %s", error)


def _prototype(
    console: Console, lake: Lake, catalog: Catalog, options: argparse.Namespace, wanted: Callable[[date], bool]
) -> int:
    from mlpipe_assets.automation.prototype import run_prototype  # noqa: PLC0415 (definitions take a second)
    from mlpipe_assets.pipeline import build_graph  # noqa: PLC0415

    settings = read_settings()

    def define(sampled: Catalog, root: Path) -> dg.Definitions:
        return build_graph(sampled, settings.for_lake(root))

    started = time.monotonic()
    with Progress(console, options):
        made = run_prototype(lake, catalog, options.sample, define, wanted)
    seconds = time.monotonic() - started
    if not options.json:
        whom = f"{options.sample:.2%} of the entities, which is {spell_count(made.entities, 'entity', 'entities')}"
        console.print(f"Prototype on {whom}: {made.rows_kept:,} of {spell_count(made.rows_read, 'row')} received.")
    tell_summary(console, Lake(data_dir=str(made.root)), catalog, made.summary, seconds, options)
    if not options.json:
        said = [*made.summary.errors, *made.summary.warnings]
        of_models = tuple(table.key for table in tables_of(catalog) if not _OF_DATA & {*table.jobs})
        if options.sample < 1 and any(line.startswith(of_models) for line in said):
            console.print(
                f"A model of {spell_count(made.entities, 'entity', 'entities')} cannot be judged: what is said above of training "
                "sets, models and predictions may be no fault of the data. To judge one, take a larger share.",
                soft_wrap=True,
            )
        console.print(f"It is all in {plain(made.root)}; nothing else was touched.", soft_wrap=True)
    return _DATA if made.summary.errors else _BUSY if made.summary.busy else 0


def load_dagster() -> tuple[dg.Definitions, dg.DagsterInstance]:
    """The project's definitions, and the instance in its folder unless DAGSTER_HOME names another."""
    from mlpipe_assets.pipeline import build_graph  # noqa: PLC0415 (takes a second; a run without work needs none)

    instance = open_home()
    settings = read_settings()
    return build_graph(catalog_of(settings), settings), instance
