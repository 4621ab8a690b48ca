"""What the lake holds as metrics: freshness, rows, quarantine, drift, models, the online snapshot. Read off records, in a second.

`mlpipe serve` gives them beside its own, `mlpipe metrics` without a server.
"""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from threading import Lock

from mlpipe_assets.catalog.declarations import Catalog
from mlpipe_assets.errors import MlpipeError
from mlpipe_assets.flow import tables_of
from mlpipe_assets.monitoring.deciding import deciding
from mlpipe_assets.serving.http.counters import Metric
from mlpipe_assets.stages.online.plan import store_of
from mlpipe_assets.status import Partition, partitions
from mlpipe_assets.store.keys import DRIFT
from mlpipe_assets.store.lake import Lake
from mlpipe_assets.training.champions import champion

VERDICTS = ("none", "possible", "drift")
_COUNTS = ("received", "accepted", "duplicates", "quarantined", "not_processed")

Sample = tuple[Mapping[str, str], float]


def lake_metrics(lake: Lake, catalog: Catalog, now: datetime) -> list[Metric]:
    """Every metric of a lake that there is a value of.

    What cannot be read leaves its own metrics out, and is 1 in `mlpipe_metrics_failed`.
    """
    groups: dict[str, Callable[[], Iterable[Metric]]] = {
        "tables": lambda: _of_tables(lake, catalog),
        "freshness": lambda: _of_freshness(lake, catalog, now),
        "drift": lambda: _of_drift(lake, catalog),
        "models": lambda: _of_models(lake, catalog),
        "online": lambda: _of_online(lake),
    }
    found: list[Metric] = []
    failed: list[Sample] = []
    for name, make in groups.items():
        try:
            found += make()
        except MlpipeError:
            failed.append(({"group": name}, 1.0))
        else:
            failed.append(({"group": name}, 0.0))
    found.append(_gauge("mlpipe_metrics_failed", "1 where a group of metrics could not be read.", failed))
    found.append(
        _gauge("mlpipe_metrics_made_seconds", "When these were read, in seconds since 1970.", [({}, now.timestamp())])
    )
    return [metric for metric in found if metric.samples]


@dataclass(kw_only=True)
class RememberedMetrics:
    """The same, read again only when they are older than `seconds`: a scrape costs a server nothing."""

    lake: Lake
    catalog: Catalog
    seconds: float = 30.0
    _made: tuple[float, list[Metric]] = (float("-inf"), [])
    _lock: Lock = field(default_factory=Lock)

    def __call__(self) -> list[Metric]:
        """The metrics."""
        with self._lock:
            if time.monotonic() - self._made[0] > self.seconds:
                self._made = (time.monotonic(), lake_metrics(self.lake, self.catalog, datetime.now(tz=UTC)))
            return self._made[1]


def _of_tables(lake: Lake, catalog: Catalog) -> Iterable[Metric]:
    by_table: dict[str, list[Partition]] = {}
    for partition in partitions(lake, catalog, digests=False):
        by_table.setdefault(partition.table, []).append(partition)
    present = {table: [p for p in own if p.as_of] for table, own in by_table.items()}
    yield _gauge("mlpipe_table_partitions", "Partitions of a table.", _each(present, len))
    yield _gauge(
        "mlpipe_table_rows",
        "Rows of all partitions of a table.",
        _each(present, lambda own: sum(p.rows or 0 for p in own)),
    )
    yield _gauge(
        "mlpipe_table_newest_seconds",
        "The instant that the newest partition of a table ends with, in seconds since 1970.",
        _each(present, lambda own: max((datetime.fromisoformat(p.as_of or "").timestamp() for p in own), default=0.0)),
    )
    yield _gauge(
        "mlpipe_table_refused_days",
        "Days of a table whose newest attempt was refused.",
        _each(by_table, _count_refused),
    )
    counted = [
        ({"table": table, "count": name}, float(sum(getattr(p, name) or 0 for p in own)))
        for table, own in by_table.items()
        for name in _COUNTS
        if any(getattr(p, name) is not None for p in own)
    ]
    yield _gauge("mlpipe_rows", "What became of the rows that were received for a table.", counted)


def _count_refused(own: list[Partition]) -> int:
    return sum(bool(p.note and p.note.startswith("refused")) for p in own)


def _of_freshness(lake: Lake, catalog: Catalog, now: datetime) -> Iterable[Metric]:
    verdicts = [table.fresh(lake, now) for table in tables_of(catalog) if table.fresh]
    late = [({"table": v.table}, float(v.state != "fresh")) for v in verdicts]
    since = [({"table": v.table}, (now - v.late_since).total_seconds() if v.late_since else 0.0) for v in verdicts]
    yield _gauge("mlpipe_table_late", "1 where a table lacks its newest expected partition.", late)
    yield _gauge("mlpipe_table_late_for_seconds", "How long a table has been late; 0 where it is fresh.", since)


def _of_drift(lake: Lake, catalog: Catalog) -> Iterable[Metric]:
    scores: list[Sample] = []
    limits: list[Sample] = []
    columns: list[Sample] = []
    verdicts: list[Sample] = []
    realised: list[Sample] = []
    for monitor in catalog.monitors:
        measured = lake.state(DRIFT, monitor.folder)
        day = max(measured.days(), default=None)
        if day is None:
            continue
        table = {"table": monitor.table}
        if (score := (measured.facts(day) or {}).get("drift_score")) is not None:
            scores.append((table, float(score)))
        limits.append((table, monitor.retrain_above))
        for row in deciding(measured.read(day)).to_dicts():
            if row["value"] is None:
                continue
            if row["comparison"] == "performance":
                realised.append(
                    ({"model": monitor.name, "metric": row["method"], "slice": row["column"]}, row["value"])
                )
            else:
                place = {**table, **{name: row[name] for name in ("column", "comparison")}}
                columns.append(({**place, "method": row["method"]}, row["value"]))
                verdicts.append((place, float(VERDICTS.index(row["verdict"]))))
    yield _gauge("mlpipe_drift_score", "Weighted share of the columns of a table in drift, on its newest day.", scores)
    yield _gauge("mlpipe_drift_limit", "Drift score from which a window is bad.", limits)
    yield _gauge("mlpipe_column_drift", "The deciding measure of a column on the newest day.", columns)
    yield _gauge(
        "mlpipe_column_verdict", "The verdict of a column on the newest day: 0 none, 1 possible, 2 drift.", verdicts
    )
    yield _gauge(
        "mlpipe_model_realised", "How predictions came true, on the newest day whose labels are complete.", realised
    )


def _of_models(lake: Lake, catalog: Catalog) -> Iterable[Metric]:
    led = {model.name: champion(lake, model.name) for model in catalog.models if model.learner}
    scores = [
        ({"model": name, "version": used.version, "metric": metric}, float(value))
        for name, used in led.items()
        if used
        for metric, value in sorted(used.metrics.items())
        if isinstance(value, int | float)
    ]
    as_of = [
        ({"model": name}, datetime.combine(used.as_of, datetime.min.time(), tzinfo=UTC).timestamp())
        for name, used in led.items()
        if used
    ]
    yield _gauge("mlpipe_model_metric", "A number of the champion's card.", scores)
    yield _gauge("mlpipe_model_as_of_seconds", "The day of the champion's training set, in seconds since 1970.", as_of)


def _of_online(lake: Lake) -> Iterable[Metric]:
    present = store_of(lake).line().present
    views = present.views.values() if present else ()
    as_of = [({"view": view.name}, datetime.fromisoformat(view.as_of).timestamp()) for view in views]
    rows = [({"view": view.name}, float(view.rows)) for view in views]
    yield _gauge(
        "mlpipe_online_as_of_seconds",
        "The instant that the newest published rows of a view are of, in seconds since 1970.",
        as_of,
    )
    yield _gauge("mlpipe_online_entities", "Entities of a view that are published online.", rows)


def _each(found: Mapping[str, list[Partition]], measure: Callable[[list[Partition]], float]) -> list[Sample]:
    return [({"table": table}, float(measure(own))) for table, own in found.items()]


def _gauge(name: str, words: str, samples: Sequence[Sample]) -> Metric:
    return Metric(name=name, kind="gauge", help=words, samples=samples)
