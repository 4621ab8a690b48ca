"""The same join by Feast on its DuckDB offline store: a script for a Python of its own, which has `feast[duckdb]`.

`PYTHON feast_retrieval.py FLAT SPINE FOLDER REPEATS` prints seconds and the sums of what was found, as JSON. It imports
nothing of the project.
"""

import importlib
import json
import sys
import time
from datetime import timedelta
from typing import Any

_FEATURES = ("orders_7d", "orders_30d", "revenue_30d", "days_since_last_order")


def main() -> None:
    """Declare one view over a file, and join it to a spine."""
    flat, spine, folder, repeats = sys.argv[1:]
    feast: Any = importlib.import_module("feast")
    types: Any = importlib.import_module("feast.types")
    pandas: Any = importlib.import_module("pandas")
    config = feast.RepoConfig(
        project="bench",
        provider="local",
        registry=f"{folder}/registry.db",
        offline_store={"type": "duckdb"},
        online_store={"type": "sqlite", "path": f"{folder}/online.db"},
        entity_key_serialization_version=3,
    )
    store = feast.FeatureStore(config=config)
    customer = feast.Entity(name="customer", join_keys=["customer_id"], value_type=feast.ValueType.INT64)
    view = feast.FeatureView(
        name="view_0",
        entities=[customer],
        ttl=timedelta(0),
        schema=[feast.Field(name=name, dtype=types.Int64) for name in ("customer_id", *_FEATURES)],
        source=feast.FileSource(path=flat, timestamp_field="as_of"),
    )
    store.apply([customer, view])
    seconds: list[float] = []
    for _ in range(int(repeats)):
        began = time.perf_counter()
        asked = pandas.read_parquet(spine)
        found = store.get_historical_features(asked, [f"view_0:{name}" for name in _FEATURES]).to_df()
        seconds.append(time.perf_counter() - began)
    sums = {name: int(found[name].sum()) for name in _FEATURES}
    print(json.dumps({"seconds": seconds, "rows": len(found), "sums": sums, "version": feast.__version__}))


if __name__ == "__main__":
    main()
