"""Golden rows: a fixed sample of feature rows with the champion's answers, and which answers moved."""

import hashlib
from collections.abc import Sequence

import polars as pl

from mlpipe_assets.join_keys import spell_entity
from mlpipe_assets.learning.errors import LearningError
from mlpipe_assets.learning.tasks.binary import ANSWER, BINARY
from mlpipe_assets.learning.tasks.task import Task
from mlpipe_assets.row_times import day_of_row
from mlpipe_assets.rules import digest

_ROWS, _DAYS = 200, 3


def choose_golden_rows(
    rows: pl.DataFrame, keys: Sequence[str], features: tuple[str, ...], *, most: int = _ROWS, days: int = _DAYS
) -> pl.DataFrame:
    """Rows to hold champions to: of the first, middle and last day, those whose key has the smallest digest.

    The choice depends on keys and days alone, so it is the same in every process and whatever order rows come in.

    Args:
        rows: Feature rows with `as_of`; the label and other columns are left behind.
        keys: Join keys; unique with `as_of`.
        features: Columns the model takes.
        most: Rows to choose.
        days: Days to choose them from.
    """
    rows = rows.with_columns(day_of_row().alias("_day"))
    found = rows["_day"].unique().sort().to_list()
    places = sorted({round(i * (len(found) - 1) / max(1, days - 1)) for i in range(days)}) if found else []
    chosen = [found[i] for i in places]
    entities = rows.select(keys).unique().sort(keys)
    spelled = entities.select(spell_entity(keys)).to_series()
    rank = entities.with_columns(pl.Series("_rank", [hashlib.sha256(f"{k}".encode()).hexdigest() for k in spelled]))
    each = -(-most // max(1, len(chosen)))
    ranked = rows.filter(pl.col("_day").is_in(chosen)).join(rank, on=list(keys), how="left")
    few = ranked.sort("_day", "_rank", "as_of").group_by("_day", maintain_order=True).head(each)
    return few.sort("as_of", *keys).select(*keys, "as_of", *features)


def golden_version(rows: pl.DataFrame, task: Task = BINARY) -> str:
    """Digest of golden rows without their answers: the same set, the same version."""
    given = rows.drop(name for name in rows.columns if task.is_answer(name))
    return digest([[[n, str(t)] for n, t in given.schema.items()], given.write_csv(float_precision=17)])[:16]


def moved_answers(golden: pl.DataFrame, answers: pl.DataFrame, within: float) -> pl.DataFrame:
    """Golden rows whose answer is further than `within` from the one that was kept, or is not there at all.

    Args:
        golden: Join key, as_of, feature columns, `probability`: the answer that was kept.
        answers: The same join key and as_of with `probability`: the answer now.
        within: How far an answer may move.

    Returns: the join key and as_of of each, `expected`, `answered` and `moved`; furthest first.

    Raises: LearningError when the answers name a row twice.
    """
    key = [name for name in answers.columns if name != ANSWER and name in golden.columns]
    if answers.select(key).is_duplicated().any():
        raise LearningError(f"The answers name a golden row twice ({', '.join(key)}).")
    both = golden.select(*key, expected=pl.col(ANSWER)).join(
        answers.select(*key, answered=pl.col(ANSWER)), on=key, how="left"
    )
    both = both.with_columns(moved=(pl.col("answered") - pl.col("expected")).abs())
    far = (pl.col("moved") > within) | pl.col("moved").is_null() | pl.col("moved").is_nan()
    return both.filter(far).sort(pl.col("moved").fill_nan(None), *key, descending=[True, *[False] * len(key)])
