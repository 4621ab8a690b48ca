"""Whether answers that were given online are what the lake says: a sample of a day is asked again, by join and by model.

An answer was read of a snapshot, so it is held to what a join finds for the moment that the snapshot was made for; its age
and statuses to the moment of the answer. Partitions that were built again since are told apart by their digests.
"""

from collections import Counter
from dataclasses import dataclass, field

import polars as pl

from mlpipe_assets.catalog.declarations import Catalog
from mlpipe_assets.contracts.serving_log import FEATURES
from mlpipe_assets.serving.asked_again import DIFFERING, INCOMPARABLE, AskedAgain, Judged
from mlpipe_assets.store.lake import Lake

SAMPLE = 300  # entities of each view and model
_MOST_ROWS = 3_000  # answers of these


@dataclass(kw_only=True)
class Verdict:
    """What became of the answers of one view, or of one model on it.

    Attributes:
        logged: Rows of the log.
        counts: Rows asked again, by what became of them.
        names: How many answers differ in which features, or in what a model says.
        rows: Request and row number of those.
    """

    kind: str
    view: str
    model: str | None
    logged: int
    counts: Counter[str] = field(default_factory=Counter)
    names: Counter[str] = field(default_factory=Counter)
    rows: list[tuple[str, int]] = field(default_factory=list)

    @property
    def asked(self) -> int:
        """Rows that were asked again."""
        return sum(self.counts.values())

    @property
    def differing(self) -> int:
        """Rows that say something else than the lake."""
        return self.counts[DIFFERING]


def judge_answers(lake: Lake, catalog: Catalog, log: pl.DataFrame) -> list[Verdict]:
    """Ask a sample of what was answered again. The sample is drawn by a hash of the join keys.

    Raises: LakeError for features or records that cannot be read.
    """
    verdicts: list[Verdict] = []
    views = {view.name: view for view in catalog.feature_views}
    models = {model.name: model for model in catalog.models if model.learner}
    for (kind, name, model), rows in sorted(log.group_by("kind", "view", "model"), key=lambda one: str(one[0])):
        verdict = Verdict(kind=f"{kind}", view=f"{name}", model=model, logged=rows.height)
        verdicts.append(verdict)
        sample = _sample(rows)
        view = views.get(f"{name}")
        asking = AskedAgain(lake=lake, catalog=catalog, view=view, rows=sample) if view else None
        if kind == FEATURES:
            found = asking.features() if asking else _none(sample)
        else:
            declared = models.get(f"{model}")
            found = asking.predictions(declared) if asking and declared else _none(sample)
        for row, (bucket, names) in zip(sample.iter_rows(named=True), found, strict=True):
            verdict.counts[bucket] += 1
            if bucket == DIFFERING:
                verdict.names.update(names)
                verdict.rows.append((row["request_id"], row["row_number"]))
    return verdicts


def _none(rows: pl.DataFrame) -> list[Judged]:
    return [(INCOMPARABLE, ())] * rows.height


def _sample(rows: pl.DataFrame) -> pl.DataFrame:
    """The rows of some entities: those whose keys have the lowest hashes, so that it grows with the log and moves nowhere."""
    drawn = rows.with_columns(pl.col("join_keys").hash(seed=0).alias("\0drawn"))
    chosen = drawn.select("join_keys", "\0drawn").unique().bottom_k(SAMPLE, by="\0drawn").select("join_keys")
    kept = drawn.join(chosen, on="join_keys", how="semi").sort("\0drawn", "answered_at", "request_id", "row_number")
    return kept.head(_MOST_ROWS).drop("\0drawn")
