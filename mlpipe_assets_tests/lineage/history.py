"""One small history, run by run: a model, a file that was wrong and its correction, an accepted day, a retraining, a rollback.

Each day ann orders once, by a file of its own. `spend` looks at three days. Runs are called after what happens in them.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from functools import cache
from pathlib import Path

from mlpipe_assets.catalog.declarations import Catalog
from mlpipe_assets.engines.duckdb_engine import DuckDBEngine
from mlpipe_assets.intake.deliveries import Ledger
from mlpipe_assets.lineage.asking import Lineage
from mlpipe_assets.lineage.recording import Recorder
from mlpipe_assets.stages.features.asset import build_features
from mlpipe_assets.stages.interim.asset import build_interim
from mlpipe_assets.stages.predictions.asset import build_predictions
from mlpipe_assets.stages.raw.taking import ingest
from mlpipe_assets.store.acceptances import accept
from mlpipe_assets.store.lake import Lake
from mlpipe_assets.training.champions import roll_back
from mlpipe_assets_tests.champions import crown, learning_catalog
from mlpipe_assets_tests.frames import build_training_set
from mlpipe_assets_tests.lake_copies import copy_lake, temporary_folder
from mlpipe_assets_tests.planted import ANN, START, day, drop_customers, drop_orders, spend

DAYS = 8
BAD = "orders_2026-01-03.csv"  # wrong at first, corrected later under the same name
MODEL = "returning"


def run_as(lake: Lake, catalog: Catalog, run: str) -> Lake:
    """The lake as a run has it: what it writes is recorded."""
    return replace(lake, written=Recorder(catalog=catalog, run=run))


def bring(lake: Lake, catalog: Catalog, days: Sequence[date]) -> None:
    """Take what came, and build interim and features of some days."""
    for source in catalog.sources:
        with lake.writing("raw", source.name):
            ledger = Ledger.load(lake, source.name)
            ingest(lake, source, ledger)
        with lake.writing("interim", source.name):
            build_interim(lake, DuckDBEngine(), source, [one for one in days if source.event_time or one == START])
    with lake.writing("features", "spend"):
        build_features(lake, DuckDBEngine(), catalog, spend, days)


def train(lake: Lake, catalog: Catalog, as_of: date) -> None:
    """A training set, and a champion fitted on it."""
    with lake.writing("processed", MODEL):
        outcome, _ = build_training_set(lake, DuckDBEngine(), catalog, catalog.models[0], as_of)
        assert outcome.written, outcome
    with lake.writing("models", MODEL):
        crown(lake, catalog, as_of)


def predict(lake: Lake, catalog: Catalog, days: Sequence[date]) -> None:
    """Predictions of some days."""
    with lake.writing("predictions", MODEL):
        outcomes = build_predictions(lake, catalog, catalog.models[0], days)
        assert all(one.written for one in outcomes), outcomes


def drop(lake: Lake, number: int, *, amount: str = "10.00", who: Sequence[str] = ("ann", "bob")) -> Path:
    """The file of one day."""
    rows = [(f"{name}{number}", name, day(number), amount, "web") for name in who]
    return drop_orders(lake, f"orders_{day(number)}.csv", rows)


def lived(root: Path) -> tuple[Catalog, Lake]:
    """The history, in a folder of its own."""
    return learning_catalog(root / "sql"), copy_lake(_lived(), root / "data")


def ask(catalog: Catalog, lake: Lake) -> Lineage:
    """Lineage, as it is asked."""
    return Lineage(lake=lake, catalog=catalog)


@cache
def _lived() -> Lake:
    root = temporary_folder()
    catalog, lake = learning_catalog(root / "sql"), Lake(data_dir=str(root / "data"))
    drop_customers(lake, f"customers_{START}.csv", ANN)
    for number in range(1, DAYS - 1):
        drop(lake, number)
    first = run_as(lake, catalog, "first")
    bring(first, catalog, [day(n) for n in range(1, DAYS - 1)])
    train(first, catalog, day(5))
    predict(first, catalog, [day(6)])

    drop(lake, 3, who=("ann",))  # bob was not there
    corrected = run_as(lake, catalog, "corrected")
    bring(corrected, catalog, [day(n) for n in (3, 4, 5)])

    drop(lake, DAYS)
    accept(lake, "orders", [day(DAYS - 1)], "closed")
    accepted = run_as(lake, catalog, "accepted")
    bring(accepted, catalog, [day(DAYS - 1), day(DAYS)])

    retrained = run_as(lake, catalog, "retrained")
    train(retrained, catalog, day(6))
    predict(retrained, catalog, [day(DAYS - 1), day(DAYS)])

    rolled_back = run_as(lake, catalog, "rolled back")
    roll_back(rolled_back, MODEL, "worse than thought")
    return lake
