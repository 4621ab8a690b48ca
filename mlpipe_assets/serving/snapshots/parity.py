"""Whether an online snapshot says what a join in time finds: a sample of its entities is asked both ways before anybody sees it."""

import hashlib
from datetime import datetime

import polars as pl

from mlpipe_assets.catalog.declarations import Catalog, FeatureView
from mlpipe_assets.errors import shorten, spell_count
from mlpipe_assets.point_in_time.retrieval import Retrieval, Wording
from mlpipe_assets.point_in_time.statuses import Status, status_of
from mlpipe_assets.rules import columns
from mlpipe_assets.serving.snapshots.online_store import Reader
from mlpipe_assets.serving.snapshots.rows import parse_rows, read_column, spell_keys
from mlpipe_assets.serving.snapshots.snapshot import OnlineError
from mlpipe_assets.store.lake import Lake

SAMPLE = 300  # entities of each view


class ParityError(OnlineError):
    """The snapshot differs from the features that it is made of."""


def expect_parity(lake: Lake, catalog: Catalog, reader: Reader, now: datetime) -> int:
    """Ask for a sample of entities, online and by a join; how many of them there were.

    The sample is drawn by a hash of key and snapshot, from the newest day and from an older one, so that each snapshot is
    looked at elsewhere.

    Raises: ParityError that names features and counts, never a value.
    """
    views = [view for view in catalog.feature_views if view.name in reader.generation.views]
    counts = {view.name: _compare(lake, catalog, reader, view, now) for view in views}
    return sum(counts.values())


def _compare(lake: Lake, catalog: Catalog, reader: Reader, view: FeatureView, now: datetime) -> int:
    keys = _sample(lake, view, reader.generation.id, now)
    if not keys.height:
        return 0
    asked = [f"{view.name}:*"]
    spine = keys.with_columns(event_timestamp=pl.lit(now).cast(pl.Datetime("us", "UTC")))
    joined = Retrieval(lake, catalog, asked, spine, Wording(statuses=True, as_of=False)).frame()
    published = reader.generation.views[view.name]
    rows = parse_rows(reader.read({view.name: spell_keys(keys, view.entity.join_keys).to_list()})[view.name])
    times = [datetime.fromtimestamp(row[0], tz=now.tzinfo) if row and isinstance(row[0], int) else None for row in rows]
    types = {column.name: column.dtype for column in columns(view.contract)}
    wrong: dict[str, int] = {}
    for number, name in enumerate(published.features, start=1):
        values = [row[number] if row else None for row in rows]
        statuses = [
            status_of(as_of=time, at=now, is_null=value is None, ttl=view.ttl)
            for time, value in zip(times, values, strict=True)
        ]
        kept = [value if status is Status.PRESENT else None for value, status in zip(values, statuses, strict=True)]
        online = read_column(kept, _instance(types[name]), name)
        same = online.eq_missing(joined[name]) & (
            pl.Series(statuses, dtype=pl.String) == joined[f"{name}__status"].cast(pl.String)
        )
        if differing := int((~same).sum()):
            wrong[name] = differing
    if wrong:
        found = shorten([f"{name} of {count:,}" for name, count in wrong.items()])
        raise ParityError(
            f"features/{view.name}: online answers differ from a join of the same moment in {found}, of "
            f"{spell_count(keys.height, 'entity', 'entities')} asked. Nothing was published, the snapshot before goes on answering. "
            f"Run `mlpipe verify --table features/{view.name}`; if that finds nothing, report it."
        )
    return keys.height


def _sample(lake: Lake, view: FeatureView, salt: str, now: datetime) -> pl.DataFrame:
    """Join keys of some entities, each once."""
    names = list(view.entity.join_keys)
    state = lake.state("features", view.name)
    days = [day for day in state.days() if datetime.combine(day, datetime.min.time(), tzinfo=now.tzinfo) < now]
    if not days:
        return pl.DataFrame()
    drawn = int.from_bytes(hashlib.sha256(salt.encode()).digest()[:8], "big")
    chosen = dict.fromkeys((days[-1], days[drawn % len(days)]))
    keys = pl.concat([state.read(day, names) for day in chosen]).unique(maintain_order=True).drop_nulls()
    hashed = keys.with_columns(pl.struct(names).hash(seed=drawn).alias("\0drawn"))
    return hashed.bottom_k(SAMPLE, by="\0drawn").select(names)


def _instance(dtype: pl.DataType) -> pl.DataType:
    return dtype() if isinstance(dtype, type) else dtype
