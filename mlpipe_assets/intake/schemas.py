"""What a source's clean table looks like, for people and programs that do not read Python: validation/schemas/<source>.json."""

import json
from typing import Any

from mlpipe_assets.catalog.declarations import Source
from mlpipe_assets.catalog.versions import source_version
from mlpipe_assets.errors import LakeError
from mlpipe_assets.rules import columns, contract_digest, unique_keys
from mlpipe_assets.store import keys
from mlpipe_assets.store.lake import Lake
from mlpipe_assets.store.records import Record

_SAMPLE_ROWS = 3


def write_schema(lake: Lake, source: Source) -> None:
    """Write the schema of a source and the first rows of its newest day, without personal columns; skip it when unchanged.

    What stands there is only compared: when it cannot be read it is written anew.
    """
    record = Record(objects=lake.objects, key=keys.schema(source.name), parse=lambda written: written)
    schema = json.loads(json.dumps(schema_of(source) | {"sample": _sample(lake, source)}, default=str))
    if _written(record) != schema:
        record.write(schema)


def schema_of(source: Source) -> dict[str, Any]:
    """A source's contract and how it is read, as JSON-able values."""
    return {
        "source": source.name,
        "description": " ".join((source.contract.__doc__ or "").split()),
        "key": list(source.key),
        "event_time": source.event_time,
        "unique": [list(key) for key in unique_keys(source.contract)],
        "tolerance": {"share": source.tolerance.share, "rows": source.tolerance.rows},
        "code_version": source_version(source),
        "contract_digest": contract_digest(source.contract),
        "columns": [
            {
                "name": column.name,
                "type": str(column.dtype),
                "nullable": column.nullable,
                "rules": list(column.constraints),
                "description": column.description,
                **{name: column.metadata[name] for name in sorted(column.metadata)},
            }
            for column in columns(source.contract)
        ],
    }


def _written(record: Record[object]) -> object:
    try:
        return record.read()
    except LakeError:
        return None


def _sample(lake: Lake, source: Source) -> dict[str, Any]:
    days = lake.days("interim", source.name)
    shown = [column.name for column in columns(source.contract) if not column.metadata.get("personal")]
    if not days:
        return {"date": None, "rows": []}
    rows = lake.read("interim", source.name, days[-1], shown).head(_SAMPLE_ROWS)
    return {"date": f"{days[-1]}", "rows": rows.to_dicts()}
