"""How well one feature alone tells the label, whatever the feature is made of: by ranking, or by rank correlation."""

from collections.abc import Sequence

import polars as pl

from mlpipe_assets.join_keys import hash_entity
from mlpipe_assets.learning.tasks.binary import BINARY
from mlpipe_assets.learning.tasks.task import Task

_ROWS = 100_000  # looked at of one set; the same rows each time
_FEW = 50  # distinct values up to which numbers are taken for categories too
_ROWS_OF_NUMBERS = 30  # rows below which a rank correlation is chance
_ENOUGH = 10  # stretches of yes, and of no, from which a perfect feature is no accident


def tell_label(
    rows: pl.DataFrame, *, label: str, keys: Sequence[str], features: Sequence[str], task: Task = BINARY
) -> dict[str, float]:
    """How well each feature taken alone tells the label, 1 being without a mistake; empty where the label is too rare to say.

    Of yes and no, and of one class against the rest, it is the area under the ROC curve, from 0.5; of several classes, that
    of the one told best. Of a number it is the absolute rank correlation, from 0.

    A feature is judged by its values where it has any, by whether it has one, and, for texts and numbers of few values, by
    the share of the label among the other entities of the same value: a value that only one entity has tells nothing.
    """
    known = rows.filter(pl.col(label).is_not_null())
    if not known.height:
        return {}
    chosen = known.filter(hash_entity(keys, seed=7) % -(-known.height // _ROWS) == 0).sort(*keys, "as_of")
    who = chosen.select(hash_entity(keys, seed=11)).to_series()
    found: dict[str, float] = {}
    for target in task.targets(chosen[label]):
        numbers = target.dtype != pl.Boolean
        enough = chosen.height >= _ROWS_OF_NUMBERS if numbers else _is_enough(target, who)
        if not enough:
            continue
        ranks = target.rank("average") if numbers else target
        for name in features:
            power = _power_of_number(chosen[name], target, ranks, who) if numbers else _power(chosen[name], target, who)
            found[name] = max(power, found.get(name, 0.0))
    return found


def _power_of_number(values: pl.Series, truth: pl.Series, ranks: pl.Series, who: pl.Series) -> float:
    """The best of what its values tell of the number, that it has one, and of few values their mean elsewhere."""
    if values.dtype.is_temporal():
        values = values.to_physical()
    present = values.is_not_null()
    found = [_correlation(present.cast(pl.Int8), ranks)]
    is_text = values.dtype in (pl.String, pl.Categorical, pl.Enum)
    if values.dtype.is_numeric() or values.dtype == pl.Boolean:
        known = ranks if present.all() else truth.filter(present).rank("average")
        found.append(_correlation(values.filter(present).cast(pl.Float64), known))
    if is_text or (not values.dtype.is_nested() and values.n_unique() <= _FEW):
        found.append(_correlation(_shares(values, truth, who % 2 == 0), ranks))
    return max(found)


def _correlation(values: pl.Series, ranks: pl.Series) -> float:
    """Absolute rank correlation with what has these ranks; 0 of fewer rows than say anything, or where one of the two does not vary."""
    if values.len() < _ROWS_OF_NUMBERS or values.n_unique() == 1 or ranks.min() == ranks.max():
        return 0.0
    both = pl.DataFrame({"a": values.rank("average"), "b": ranks})
    return abs(float(both.select(pl.corr("a", "b")).item()))


def _is_enough(truth: pl.Series, who: pl.Series) -> bool:
    """Whether yes and no stand in enough stretches; days of one stretch of an entity are no evidence of their own."""
    begins = (who != who.shift()).fill_null(value=True) | (truth != truth.shift()).fill_null(value=True)
    return min(int((begins & truth).sum()), int((begins & ~truth).sum())) >= _ENOUGH


def _power(values: pl.Series, truth: pl.Series, who: pl.Series) -> float:
    if values.dtype.is_temporal():
        values = values.to_physical()
    present = values.is_not_null()
    found = [_auc(present.cast(pl.Int8), truth)]
    is_text = values.dtype in (pl.String, pl.Categorical, pl.Enum)
    if (values.dtype.is_numeric() or values.dtype == pl.Boolean) and _is_enough(
        truth.filter(present), who.filter(present)
    ):
        found.append(_auc(values.filter(present).cast(pl.Float64), truth.filter(present)))
    if is_text or (not values.dtype.is_nested() and values.n_unique() <= _FEW):
        found.append(_auc(_shares(values, truth, who % 2 == 0), truth))
    return max(found)


def _shares(values: pl.Series, truth: pl.Series, fold: pl.Series) -> pl.Series:
    """The share of yes among rows of the same value of the other half of the entities; the mean where there are none."""
    table = pl.DataFrame({"value": values, "truth": truth.cast(pl.Float64), "fold": fold})
    seen = table.group_by("value", ~pl.col("fold")).agg(pl.col("truth").mean().alias("share"))
    joined = table.join(seen, on=["value", "fold"], how="left", nulls_equal=True, maintain_order="left")
    return joined["share"].fill_null(table["truth"].mean())


def _auc(scores: pl.Series, truth: pl.Series) -> float:
    """Chance that a yes ranks above a no, ties half, or below it, whichever is more."""
    yes, no = int(truth.sum()), int((~truth).sum())
    ranks = float(scores.rank("average").filter(truth).sum())
    area = (ranks - yes * (yes + 1) / 2) / (yes * no)
    return max(area, 1 - area)
