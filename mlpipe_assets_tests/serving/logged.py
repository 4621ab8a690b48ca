"""The serving log of a server in this process, and how it goes through the lake."""

from datetime import date

from mlpipe_assets.catalog.serving_log import serving_log
from mlpipe_assets.catalog.versions import source_version
from mlpipe_assets.engines.duckdb_engine import DuckDBEngine
from mlpipe_assets.intake.deliveries import Ledger
from mlpipe_assets.serving.answer_log import AnswerLog
from mlpipe_assets.serving.spool import Spool
from mlpipe_assets.stages.interim.asset import build_interim
from mlpipe_assets.stages.interim.plan import interim_work
from mlpipe_assets.stages.raw.taking import ingest
from mlpipe_assets.store.lake import Lake
from mlpipe_assets_tests.serving.asking import Asked


def log_of(lake: Lake, share: float = 1.0) -> AnswerLog:
    """A log of a share of the entities."""
    return AnswerLog(spool=Spool(root=lake.root, source="serving_log"), share=share)


def written(asked: Asked) -> None:
    """Let a server hand over what it logged."""
    assert asked.server.answers
    asked.server.answers.close()


def take_log(lake: Lake) -> list[date]:
    """Take the log from the drop zone to its clean table, as any source; the days that this has."""
    ingest(lake, serving_log, Ledger.load(lake, "serving_log", source_version(serving_log)))
    work = interim_work(lake, serving_log, lambda _: True)
    assert work.blocked == ()
    outcomes = build_interim(lake, DuckDBEngine(), serving_log, work.days)
    assert [outcome.refused for outcome in outcomes if outcome.refused] == []
    return lake.days("interim", "serving_log")
