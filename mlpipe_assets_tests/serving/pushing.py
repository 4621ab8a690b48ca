"""A lake of events up to yesterday with views of every kind over them, and a server that takes rows of today."""

import json
import random
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import polars as pl

from mlpipe_assets.catalog.aggregates import Aggregate
from mlpipe_assets.catalog.declarations import Catalog, FeatureView
from mlpipe_assets.catalog.feeds import Feed
from mlpipe_assets.engines.duckdb_engine import DuckDBEngine
from mlpipe_assets.intake.deliveries import Ledger
from mlpipe_assets.partitions import ONE_DAY
from mlpipe_assets.serving.http.gate import Limits, RequestLog
from mlpipe_assets.serving.http.server import Server
from mlpipe_assets.serving.http.state import ServerState
from mlpipe_assets.serving.push.pushes import Pushes
from mlpipe_assets.serving.snapshots.rows import spell_rows
from mlpipe_assets.serving.snapshots.selection import plan_snapshot
from mlpipe_assets.serving.snapshots.sqlite_store import SqliteStore
from mlpipe_assets.stages.features.asset import build_features
from mlpipe_assets.stages.interim.asset import build_interim
from mlpipe_assets.stages.raw.taking import ingest
from mlpipe_assets.store.lake import Lake
from mlpipe_assets_tests.catalog.declared import events, view_of
from mlpipe_assets_tests.serving.asking import Asked

SETTLE = timedelta(0)  # else what tests say would depend on the hour at which they run
TODAY = datetime.now(tz=UTC).date()
YESTERDAY = TODAY - ONE_DAY
PEOPLE = ("ann", "bob", "cyd", "dan")
SQL = """
select
    e.who,
    cast(d.day + 1 as timestamp) as as_of,
    cast(count(*) as bigint) as rows_3d,
    cast(count(distinct e.word) as bigint) as words_3d
from days as d
inner join events as e on e.date > d.day - 3 and e.date <= d.day
group by e.who, d.day
order by as_of, e.who
"""
source = replace(events, dedupe_within=timedelta(days=2))


def event(ident: object, who: str, day: date = TODAY, hour: int = 0, **given: Any) -> dict[str, Any]:
    """One row as it is sent."""
    at = f"{datetime.combine(day, time(), tzinfo=UTC) + timedelta(hours=hour):%Y-%m-%dT%H:%M:%SZ}"
    return {"id": f"{ident}", "who": who, "shop": 1, "at": at, "number": 1, **given}


def some_events(first: date, last: date, *, seed: int = 1, each: int = 3) -> list[dict[str, Any]]:
    """Rows of some people on each day, with values of every kind, and nulls."""
    drawn = random.Random(seed)
    found = []
    for day in (first + timedelta(days=n) for n in range((last - first).days + 1)):
        for number in range(each):
            values = {
                "shop": drawn.choice([1, -7]),
                "whole": drawn.choice([None, 1, 5]),
                "number": drawn.randint(-3, 3),
                "money": drawn.choice([None, "12.50", "0.05"]),
                "fine": drawn.choice([None, "0.000001"]),
                "wide": drawn.choice([None, "1234567890.1234"]),
                "ratio": drawn.choice([None, 0.25, -1.5]),
                "word": drawn.choice([None, "a", "b"]),
                "on": drawn.choice([None, f"{first}"]),
                "flag": drawn.choice([None, True, False]),
            }
            found.append(event(f"{seed}-{day}-{number}", drawn.choice(PEOPLE), day, drawn.randrange(24), **values))
    return found


def views() -> tuple[FeatureView, ...]:
    """A view of some functions as known, one that keeps totals, one of pairs, and one that is written in SQL."""
    sums = (Aggregate("count", name="rows", days=(2, 5)), Aggregate("sum", "money", name="paid", days=(3,)))
    others = (
        Aggregate("mean", "ratio", name="ratio", days=(2, 5)),
        Aggregate("stddev", "whole", name="spread", days=(4,)),
        Aggregate("max", "wide", name="most", days=(3,)),
        Aggregate("last", "word", name="word", where="number > 0"),
        Aggregate("count_distinct", "word", name="words", days=(2,)),
    )
    known = view_of(*sums, *others, late="as_known", settle=SETTLE)
    totals = view_of(*sums, Aggregate("days_since_last", name="since"))
    pairs = view_of(*sums, keys=("who", "shop"), late="as_known", settle=SETTLE)
    counted = view_of(
        Aggregate("count", name="rows", days=(3,)), Aggregate("count_distinct", "word", name="words", days=(3,))
    )
    written = FeatureView(
        name="written",
        entity=counted.entity,
        inputs=("events",),
        sql="written.sql",
        contract=counted.contract,
        lookback=timedelta(days=3),
    )
    return (replace(known, name="known"), replace(totals, name="totals"), replace(pairs, name="pairs"), written)


def open_catalog(folder: Path, *more: FeatureView, feed: Feed = source.feed) -> Catalog:
    """The catalog of these views, over rows that come as files or otherwise."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "written.sql").write_text(SQL)
    return Catalog(sources=(replace(source, feed=feed),), feature_views=(*views(), *more), sql_dir=folder)


def drop(lake: Lake, name: str, rows: Sequence[Mapping[str, Any]]) -> None:
    """Put a file of rows into the drop zone."""
    path = lake.root / "raw/events" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))


def build(lake: Lake, catalog: Catalog, day: date) -> None:
    """Take what is new of the rows, and build a day of every view."""
    ledger, source = Ledger.load(lake, events.name), catalog.source(events.name)
    found = ingest(lake, source, ledger)
    assert found.problems == []
    build_interim(lake, DuckDBEngine(), source, ledger.days_in_partitions())
    for view in catalog.feature_views:
        outcomes, proof = build_features(lake, DuckDBEngine(), catalog, view, [day])
        assert proof.passed, proof.description
        assert [o.refused for o in outcomes] == [None], outcomes


def publish(lake: Lake, catalog: Catalog, day: date) -> None:
    """Publish what is built, as if a day was over."""
    now = datetime.combine(day + ONE_DAY, time(1), tzinfo=UTC)
    SqliteStore(lake=lake).publish(plan_snapshot(lake, catalog, now).read())


def open_lake(root: Path, *more: FeatureView, last: date = YESTERDAY) -> tuple[Lake, Catalog]:
    """A lake whose views are published up to yesterday, or another day."""
    lake, catalog = Lake(data_dir=f"{root / 'data'}"), open_catalog(root / "sql", *more)
    drop(lake, f"events_{last}.jsonl", some_events(last - timedelta(days=5), last))
    build(lake, catalog, last)
    publish(lake, catalog, last)
    return lake, catalog


@dataclass(frozen=True, kw_only=True)
class Pushed(Asked):
    """A server that takes rows."""

    pushes: Pushes
    catalog: Catalog

    def push(self, *rows: Mapping[str, Any], key: str = "", **more: Any) -> Any:
        """The answer to rows that are pushed, once they are in the answers."""
        headers = {"idempotency-key": key} if key else {}
        answer = self.post("/push/events", {"rows": list(rows)}, headers, **more)
        self.pushes.look()
        return answer

    def online(self, view: str, *entities: Sequence[Any]) -> list[list[Any] | None]:
        """The values of entities in a view, without their time; None for one without a row."""
        keys = self.catalog.view(view).entity.join_keys
        columns = dict(zip(keys, map(list, zip(*entities, strict=True)), strict=True))
        results = self.post("/get-online-features", {"features": [f"{view}:*"], "entities": columns}).json()["results"]
        features = results[len(keys) :]
        rows = list(zip(*(one["values"] for one in features), strict=True))
        found = [any(one["statuses"][n] != "NOT_FOUND" for one in features) for n in range(len(rows))]
        return [list(row) if there else None for row, there in zip(rows, found, strict=True)]


def pushed_to(lake: Lake, catalog: Catalog, **given: Any) -> Pushed:
    """A server of a lake that takes rows."""
    pushes = Pushes(lake=lake, catalog=catalog, engine=DuckDBEngine(), **given)
    state = ServerState(lake=lake, catalog=catalog, store=SqliteStore(lake=lake), pushes=pushes)
    state.look()
    logged = StringIO()
    server = Server(state=state, limits=Limits(seconds=30), log=RequestLog(stream=logged), on_loopback=True)
    return Pushed(server=server, logged=logged, pushes=pushes, catalog=catalog)


def batch(lake: Lake, view: FeatureView, day: date) -> dict[tuple[Any, ...], list[Any]]:
    """The rows that a day was built with, by entity, as they are spelled online."""
    frame = lake.read("features", view.name, day)
    keys = list(view.entity.join_keys)
    features = [name for name in frame.columns if name not in (*keys, "as_of")]
    values = [json.loads(row)[1:] for row in spell_rows(frame, features)]
    return dict(zip(frame.select(keys).rows(), values, strict=True))


def raw_rows(lake: Lake) -> list[dict[str, Any]]:
    """Every event in raw, as it was sent, without the mark of its request."""
    payloads: Iterable[str] = (
        payload
        for path in sorted(lake.root.glob("raw/_events/events/*/*.parquet"))
        for payload in pl.read_parquet(path, hive_partitioning=False)["payload"]
    )
    return [{name: value for name, value in json.loads(one).items() if name != "_push"} for one in payloads]


def copied(lake: Lake, folder: Path) -> Lake:
    """A copy of a lake, to be changed by one test."""
    shutil.copytree(lake.root, folder / "data")
    return Lake(data_dir=f"{folder / 'data'}")
