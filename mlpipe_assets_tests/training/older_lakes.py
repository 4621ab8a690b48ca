"""A lake's models in the form that they had before each had one record of its decisions."""

import json
from collections.abc import Mapping
from io import BytesIO

import polars as pl

from mlpipe_assets.store.lake import Lake
from mlpipe_assets.store.recovery import FACTS
from mlpipe_assets.training.champion_record import KEPT, line_of_champions, read_decisions, spell_decisions
from mlpipe_assets.training.versions import versions


def make_older(lake: Lake, *models: str) -> None:
    """Write records, registry and golden rows as they were: a pointer with a history, and statuses in the registry."""
    rows = [row for model in models for row in versions(lake, model)]
    for model in models:
        path = lake.root / "meta" / "champions" / f"{model}.json"
        decisions = [one for one in read_decisions(lake, model) if one.action != KEPT]
        path.unlink(missing_ok=True)
        for golden in [
            *lake.root.glob(f"models/{model}/*/golden.parquet"),
            *lake.root.glob(f"validation/golden/{model}.*"),
        ]:
            content = golden.read_bytes()
            facts: Mapping[str, object] = json.loads(pl.read_parquet_metadata(BytesIO(content))[FACTS])
            named = json.dumps({name: value for name, value in facts.items() if name != "decisions"})
            pl.read_parquet(content).write_parquet(golden, metadata={FACTS: named})
        if not decisions:
            continue
        history = [{k: v for k, v in one.items() if k != "at"} for one in spell_decisions(decisions)]
        leading = {"version": line_of_champions(decisions)[-1], "as_of": history[-1]["as_of"]}
        path.write_text(json.dumps({**leading, "history": history}))
    registry = lake.root / "meta" / "model_registry.parquet"
    pl.DataFrame(rows, infer_schema_length=None).write_parquet(registry)
