"""Data contracts in the Open Data Contract Standard, 3.1: one YAML file a table."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import yaml

from mlpipe_assets.data_catalog.entry import ColumnEntry, Entry
from mlpipe_assets.data_catalog.exports.sql_types import kind_of
from mlpipe_assets.store.lake import Lake

_VERSION = "v3.1.0"
_KINDS = {
    "text": "string",
    "flag": "boolean",
    "integer": "integer",
    "number": "number",
    "date": "date",
    "time": "timestamp",
    "bytes": "string",
    "other": "object",
}


def spell(lake: Lake, entries: Sequence[Entry], _: Path) -> Iterator[tuple[str, bytes]]:
    """Name and content of each file; tables without a contract have none."""
    for entry in entries:
        if entry.columns:
            text = yaml.safe_dump(_contract(lake, entry), sort_keys=False, allow_unicode=True, width=120)
            yield f"{entry.name.replace('/', '.')}.odcs.yaml", text.encode()


def _contract(lake: Lake, entry: Entry) -> dict[str, Any]:
    found: dict[str, Any] = {
        "apiVersion": _VERSION,
        "kind": "DataContract",
        "id": f"mlpipe:{entry.name}",
        "name": entry.name,
        "version": entry.version or entry.contract_digest,
        "status": "active",
        "description": {"purpose": entry.description},
        "tags": [*entry.tags],
        "servers": [
            {"server": "lake", "type": "local", "path": f"{lake.root / entry.path.split(', ')[0]}", "format": "parquet"}
        ],
        "schema": [
            {
                "name": entry.name.partition("/")[2],
                "physicalName": entry.sql or entry.name,
                "physicalType": "table",
                "logicalType": "object",
                "description": entry.description,
                "dataGranularityDescription": entry.grain,
                "properties": [_property(entry, column) for column in entry.columns],
            }
        ],
    }
    if entry.owners:
        found["team"] = {"name": entry.owners[0], "members": [{"username": owner} for owner in entry.owners]}
    if entry.fresh_within_hours:
        found["slaProperties"] = [{"property": "latency", "value": entry.fresh_within_hours, "unit": "h"}]
    return found


def _property(entry: Entry, column: ColumnEntry) -> dict[str, Any]:
    found: dict[str, Any] = {
        "name": column.name,
        "logicalType": _KINDS[kind_of(column.type)],
        "physicalType": column.type,
        "required": not column.nullable,
    }
    if text := " ".join(filter(None, [column.description, f"({column.unit})" if column.unit else ""])):
        found["description"] = text
    if column.name in entry.key:
        found |= {"primaryKey": True, "primaryKeyPosition": entry.key.index(column.name) + 1}
    if "unique" in column.checks:
        found["unique"] = True
    if column.personal:
        found["classification"] = "personal"
    if column.made_of:
        found["transformSourceObjects"] = [*column.made_of]
    if told := [check for check in column.checks if check != "unique"]:
        found["quality"] = [{"type": "text", "description": check} for check in told]
    return found
