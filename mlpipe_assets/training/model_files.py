"""The files of models: where each is, the rows of the registry and the golden rows.

models/<model>/<version>/           model.skops, card.md, card.json, metrics.json, golden.parquet (once it was champion)
meta/model_registry.parquet         one row per version: what it is, and nothing that changes later
validation/golden/<model>.parquet   copy of the champion's golden rows, made when it was crowned, for others to read
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import Any

import polars as pl

from mlpipe_assets.errors import MlpipeError
from mlpipe_assets.store.lake import Lake
from mlpipe_assets.store.objects import MissingError, StoreError
from mlpipe_assets.store.records import spell_reason
from mlpipe_assets.store.recovery import FACTS
from mlpipe_assets.store.registry import read_registry

MODEL_FILE, CARD, CARD_JSON, METRICS, GOLDEN = "model.skops", "card.md", "card.json", "metrics.json", "golden.parquet"
REGISTRY = "model_registry"


class ModelError(MlpipeError):
    """A model version that is not there, or a change of champion that cannot be made."""


@dataclass(frozen=True, kw_only=True)
class Golden:
    """Golden rows with the champion's answers.

    Attributes:
        rows: Join key, as_of, feature columns, `probability`.
        version: Digest of the rows without their answers.
        champion: Version that answered.
        feature_version: Code version of the features the rows hold.
        days: Fingerprint of the feature partition of each golden day, when the rows were chosen.
        decisions: Every decision that led to the champion, as they were when it was crowned; without their times, so that
            the same decisions give the same bytes.
    """

    rows: pl.DataFrame
    version: str
    champion: str
    feature_version: str
    days: Mapping[str, str | None]
    decisions: Sequence[Mapping[str, Any]] = ()


def registered_rows(lake: Lake, model: str) -> list[dict[str, Any]]:
    """The registry's rows of a model as they lie there."""
    rows = read_registry(lake, REGISTRY, ("model", "version", "as_of"))
    if rows is None:
        return []
    return rows.filter(pl.col("model") == model).sort("as_of", "version").to_dicts()


def golden_bytes(golden: Golden) -> bytes:
    """Golden rows as the Parquet file that keeps them."""
    facts = {
        "golden_version": golden.version,
        "champion": golden.champion,
        "feature_version": golden.feature_version,
        "days": dict(golden.days),
        "decisions": [dict(one) for one in golden.decisions],
        "rows": golden.rows.height,
    }
    buffer = BytesIO()
    golden.rows.write_parquet(buffer, compression="zstd", metadata={FACTS: json.dumps(facts, sort_keys=True)})
    return buffer.getvalue()


def read_golden_file(lake: Lake, key: str) -> Golden | None:
    """Golden rows under a key; None when there are none.

    Raises: ModelError when it cannot be read.
    """
    try:
        content = lake.objects.get(key).content
        facts = json.loads(pl.read_parquet_metadata(BytesIO(content))[FACTS])
        rows = pl.read_parquet(content, hive_partitioning=False)
    except MissingError:
        return None
    except (StoreError, KeyError, ValueError, pl.exceptions.PolarsError) as error:
        raise ModelError(
            f"{lake.objects.locate(key)} cannot be read: {spell_reason(error)}. Restore it, or delete it to fall back on the copy."
        ) from error
    return Golden(
        rows=rows,
        version=facts["golden_version"],
        champion=facts["champion"],
        feature_version=facts["feature_version"],
        days=facts["days"],
        decisions=facts.get("decisions", ()),
    )
