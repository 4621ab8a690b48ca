"""A Feast repository with the views of the serving benchmark, written and filled by Feast itself.

Run by the Python of an environment that has Feast, not by this one: `python feast_repository.py FOLDER STORE VIEWS FEATURES ENTITIES`.
"""

import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

_PAGE = """
from datetime import timedelta
from feast import Entity, FeatureView, Field, FileSource
from feast.types import Float64
from feast.value_type import ValueType

customer = Entity(name="customer", join_keys=["customer_id"], value_type=ValueType.STRING)
source = FileSource(path="nothing.parquet", timestamp_field="event_timestamp")
for number in range({views}):
    globals()[f"view{{number}}"] = FeatureView(
        name=f"view{{number}}", entities=[customer], ttl=timedelta(days=3650), source=source,
        schema=[Field(name=f"f{{n}}", dtype=Float64) for n in range({features})],
    )
"""
_SETTINGS = """
project: bench
registry: registry.db
provider: local
online_store:
{store}
entity_key_serialization_version: 3
"""


def main() -> None:
    """Write the repository, apply it, and fill its online store."""
    import numpy as np
    import pandas as pd
    from feast import FeatureStore  # type: ignore[import-not-found,unused-ignore]

    folder, store = Path(sys.argv[1]), sys.argv[2]
    views, features, entities = map(int, sys.argv[3:6])
    kind = "    type: sqlite\n    path: online.db" if not store else f"    type: redis\n    connection_string: {store}"
    (folder / "feature_store.yaml").write_text(_SETTINGS.format(store=kind))
    (folder / "views.py").write_text(_PAGE.format(views=views, features=features))
    columns = {f"f{n}": np.arange(entities) * 0.5 + n for n in range(features)}
    now = datetime.now(tz=UTC)
    names = [f"c{n}" for n in range(entities)]
    frame = pd.DataFrame({"customer_id": names, "event_timestamp": now, **columns})
    frame.to_parquet(folder / "nothing.parquet")
    subprocess.run(
        [Path(sys.executable).with_name("feast"), "apply"], cwd=folder, check=True, stdout=subprocess.DEVNULL
    )
    opened = FeatureStore(repo_path=f"{folder}")
    for number in range(views):
        opened.write_to_online_store(f"view{number}", df=frame)


if __name__ == "__main__":
    main()
