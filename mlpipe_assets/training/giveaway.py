"""How well one feature alone tells the label: the area under the ROC curve, whatever the feature is made of."""

from collections.abc import Sequence

import polars as pl

from mlpipe_assets.join_keys import hash_entity

_ROWS = 100_000  # looked at of one set; the same rows each time
_FEW = 50  # distinct values up to which numbers are taken for categories too
_ENOUGH = 10  # stretches of yes, and of no, from which a perfect feature is no accident


def tell_label(rows: pl.DataFrame, *, label: str, keys: Sequence[str], features: Sequence[str]) -> dict[str, float]:
    """Area under the ROC curve of each feature taken alone, from 0.5 to 1; empty where the label is too rare to say.

    A feature is judged by its values where it has any, by whether it has one, and, for texts and numbers of few values, by
    the share of the label among the other entities of the same value: a value that only one entity has tells nothing.
    """
    known = rows.filter(pl.col(label).is_not_null())
    if not known.height or not _is_two_valued(known[label]):
        return {}
    chosen = known.filter(hash_entity(keys, seed=7) % -(-known.height // _ROWS) == 0).sort(*keys, "as_of")
    truth = _as_booleans(chosen[label])
    who = chosen.select(hash_entity(keys, seed=11)).to_series()
    return {name: _power(chosen[name], truth, who) for name in features} if _is_enough(truth, who) else {}


def _is_two_valued(label: pl.Series) -> bool:
    return label.dtype == pl.Boolean or (label.dtype.is_numeric() and label.n_unique() <= 2)  # noqa: PLR2004 (yes and no)


def _as_booleans(label: pl.Series) -> pl.Series:
    return label if label.dtype == pl.Boolean else label == label.max()


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
