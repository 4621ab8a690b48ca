"""Metadata change proposals, as DataHub's file source reads them: one JSON file of all tables."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from mlpipe_assets.data_catalog.entry import Entry
from mlpipe_assets.data_catalog.exports.sql_types import kind_of
from mlpipe_assets.store.lake import Lake

_PLATFORM = "urn:li:dataPlatform:mlpipe"
_ACTOR = "urn:li:corpuser:mlpipe"
_TYPE = "com.linkedin.schema"
_KINDS = {
    "text": "StringType",
    "flag": "BooleanType",
    "integer": "NumberType",
    "number": "NumberType",
    "date": "DateType",
    "time": "TimeType",
    "bytes": "BytesType",
    "other": "RecordType",
}


def spell(_: Lake, entries: Sequence[Entry], __: Path) -> Iterator[tuple[str, bytes]]:
    """Name and content of the file."""
    proposals = [proposal for entry in entries for proposal in _proposals(entry)]
    yield "mlpipe.mcps.json", f"{json.dumps(proposals, indent=2, ensure_ascii=False)}\n".encode()


def _proposals(entry: Entry) -> Iterator[dict[str, Any]]:
    told = {
        "datasetProperties": {
            "name": entry.name,
            "description": entry.description,
            "customProperties": {
                name: text
                for name, text in {
                    "grain": entry.grain,
                    "files": entry.path,
                    "contract": f"{entry.contract} {entry.contract_digest}".strip(),
                    "version": entry.version,
                    "newest": entry.newest or "",
                    "rows": f"{entry.rows}",
                }.items()
                if text
            },
            "tags": [],
        },
        "globalTags": {"tags": [{"tag": f"urn:li:tag:{tag}"} for tag in entry.tags]},
        "ownership": {
            "owners": [{"owner": _owner(owner), "type": "TECHNICAL_OWNER"} for owner in entry.owners],
            "lastModified": {"time": 0, "actor": _ACTOR},
        },
        "upstreamLineage": {
            "upstreams": [
                {"auditStamp": {"time": 0, "actor": _ACTOR}, "dataset": _urn(name), "type": "TRANSFORMED"}
                for name in entry.upstream
            ],
            "fineGrainedLineages": [
                {
                    "upstreamType": "FIELD_SET",
                    "upstreams": [_field_urn(*one.rsplit(".", 1)) for one in column.made_of],
                    "downstreamType": "FIELD",
                    "downstreams": [_field_urn(entry.name, column.name)],
                    "confidenceScore": 1.0,
                }
                for column in entry.columns
                if column.made_of
            ],
        },
    }
    if entry.columns:
        told["schemaMetadata"] = _schema(entry)
    for aspect, value in told.items():
        yield {
            "entityType": "dataset",
            "entityUrn": _urn(entry.name),
            "changeType": "UPSERT",
            "aspectName": aspect,
            "aspect": {"json": value},
        }


def _schema(entry: Entry) -> dict[str, Any]:
    return {
        "schemaName": entry.name,
        "platform": _PLATFORM,
        "version": 0,
        "created": {"time": 0, "actor": _ACTOR},
        "lastModified": {"time": 0, "actor": _ACTOR},
        "hash": entry.contract_digest,
        "platformSchema": {"com.linkedin.schema.OtherSchema": {"rawSchema": entry.contract}},
        "fields": [
            {
                "fieldPath": column.name,
                "nullable": column.nullable,
                "description": column.description,
                "type": {"type": {f"{_TYPE}.{_KINDS[kind_of(column.type)]}": {}}},
                "nativeDataType": column.type,
                "recursive": False,
                "isPartOfKey": column.name in entry.key,
                **({"globalTags": {"tags": [{"tag": "urn:li:tag:personal"}]}} if column.personal else {}),
            }
            for column in entry.columns
        ],
    }


def _urn(name: str) -> str:
    return f"urn:li:dataset:({_PLATFORM},{name.replace('/', '.')},PROD)"


def _field_urn(table: str, column: str) -> str:
    return f"urn:li:schemaField:({_urn(table)},{column})"


def _owner(owner: str) -> str:
    kind, _, name = owner.partition(":")
    return f"urn:li:corpGroup:{name}" if kind == "team" and name else f"urn:li:corpuser:{owner}"
