"""The files of Iceberg's format, version 2: manifests and manifest lists in Avro, and the document that names them.

Source: https://iceberg.apache.org/spec/
"""

import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from mlpipe_assets.errors import SettingsError

EXISTING, ADDED, DELETED = 0, 1, 2
_FIRST_PARTITION = 1000  # the numbers of partition fields begin there
DAY, SPLIT = "date", "split"
_DATE = {"type": "int", "logicalType": "date"}


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A data file as a manifest names it.

    Attributes:
        status: Whether its snapshot added it, found it there, or took it away.
        snapshot: Of a file that was taken away the snapshot that did so, else the one that added it.
        sequence: The number of the snapshot that added it.
        split: The split of a training set; None elsewhere.
    """

    status: int
    snapshot: int
    sequence: int
    path: str
    day: date
    split: str | None
    rows: int
    size: int


def expect_avro() -> Any:  # noqa: ANN401 (it has no public type of a module)
    """The library that writes Avro. Raises: SettingsError where it is not installed."""
    try:
        import fastavro  # noqa: PLC0415 (an extra)
    except ImportError as error:
        raise SettingsError(
            "An export to Iceberg needs fastavro. Next: pip install 'mlpipe-assets[iceberg]'"
        ) from error
    return fastavro


def spell_manifest(
    entries: Sequence[Entry], fields: Sequence[Mapping[str, Any]], schema_id: int, *, splits: bool
) -> bytes:
    """A manifest: which data files there are."""
    columns = {"type": "struct", "schema-id": schema_id, "fields": list(fields)}
    about = {
        "schema": json.dumps(columns),
        "schema-id": f"{schema_id}",
        "partition-spec": json.dumps(spell_partitions(fields, splits=splits)),
        "partition-spec-id": "0",
        "format-version": "2",
        "content": "data",
    }
    rows = [
        {
            "status": entry.status,
            "snapshot_id": entry.snapshot,
            "sequence_number": entry.sequence,
            "file_sequence_number": entry.sequence,
            "data_file": {
                "content": 0,
                "file_path": entry.path,
                "file_format": "PARQUET",
                "partition": {DAY: entry.day, **({SPLIT: entry.split} if splits else {})},
                "record_count": entry.rows,
                "file_size_in_bytes": entry.size,
            },
        }
        for entry in entries
    ]
    return _spell_avro(_manifest_schema(splits=splits), rows, about)


def read_manifest(content: bytes) -> list[Entry]:
    """The data files that a manifest names, but for those that it says are gone."""
    return [
        Entry(
            status=row["status"],
            snapshot=row["snapshot_id"],
            sequence=row["sequence_number"],
            path=row["data_file"]["file_path"],
            day=row["data_file"]["partition"][DAY],
            split=row["data_file"]["partition"].get(SPLIT),
            rows=row["data_file"]["record_count"],
            size=row["data_file"]["file_size_in_bytes"],
        )
        for row in expect_avro().reader(io.BytesIO(content))
        if row["status"] != DELETED
    ]


def spell_manifest_list(manifest: str, size: int, entries: Sequence[Entry], snapshot: int, sequence: int) -> bytes:
    """The list of manifests of a snapshot, which has one of them."""
    row: dict[str, Any] = {
        "manifest_path": manifest,
        "manifest_length": size,
        "partition_spec_id": 0,
        "content": 0,
        "sequence_number": sequence,
        "min_sequence_number": min((e.sequence for e in entries if e.status != DELETED), default=sequence),
        "added_snapshot_id": snapshot,
    }
    for name, status in (("added", ADDED), ("existing", EXISTING), ("deleted", DELETED)):
        chosen = [entry.rows for entry in entries if entry.status == status]
        row |= {f"{name}_files_count": len(chosen), f"{name}_rows_count": sum(chosen)}
    about = {"snapshot-id": f"{snapshot}", "sequence-number": f"{sequence}", "format-version": "2"}
    return _spell_avro(_LIST, [row], about)


def read_manifest_list(content: bytes) -> list[str]:
    """The paths of manifests."""
    return [row["manifest_path"] for row in expect_avro().reader(io.BytesIO(content))]


def spell_partitions(fields: Sequence[Mapping[str, Any]], *, splits: bool) -> list[dict[str, Any]]:
    """By which columns files are told apart; their values are in the manifest, and need not be in the files."""
    numbers = {field["name"]: field["id"] for field in fields}
    return [
        {"name": name, "transform": "identity", "source-id": numbers[name], "field-id": _FIRST_PARTITION + at}
        for at, name in enumerate((DAY, SPLIT) if splits else (DAY,))
    ]


def _field(name: str, kind: Any, number: int) -> dict[str, Any]:  # noqa: ANN401 (a type of Avro is a text or a document)
    optional = isinstance(kind, list)
    return {"name": name, "type": kind, "field-id": number, **({"default": None} if optional else {})}


def _manifest_schema(*, splits: bool) -> dict[str, Any]:
    partition = [_field(DAY, ["null", _DATE], _FIRST_PARTITION)]
    partition += [_field(SPLIT, ["null", "string"], _FIRST_PARTITION + 1)] if splits else []
    data_file = [
        _field("content", "int", 134),
        _field("file_path", "string", 100),
        _field("file_format", "string", 101),
        _field("partition", {"type": "record", "name": "r102", "fields": partition}, 102),
        _field("record_count", "long", 103),
        _field("file_size_in_bytes", "long", 104),
    ]
    fields = [
        _field("status", "int", 0),
        _field("snapshot_id", ["null", "long"], 1),
        _field("sequence_number", ["null", "long"], 3),
        _field("file_sequence_number", ["null", "long"], 4),
        _field("data_file", {"type": "record", "name": "r2", "fields": data_file}, 2),
    ]
    return {"type": "record", "name": "manifest_entry", "fields": fields}


_LIST = {
    "type": "record",
    "name": "manifest_file",
    "fields": [
        _field("manifest_path", "string", 500),
        _field("manifest_length", "long", 501),
        _field("partition_spec_id", "int", 502),
        _field("content", "int", 517),
        _field("sequence_number", "long", 515),
        _field("min_sequence_number", "long", 516),
        _field("added_snapshot_id", "long", 503),
        _field("added_files_count", "int", 504),
        _field("existing_files_count", "int", 505),
        _field("deleted_files_count", "int", 506),
        _field("added_rows_count", "long", 512),
        _field("existing_rows_count", "long", 513),
        _field("deleted_rows_count", "long", 514),
    ],
}


def _spell_avro(schema: Mapping[str, Any], rows: Sequence[Mapping[str, Any]], about: Mapping[str, str]) -> bytes:
    file = io.BytesIO()
    expect_avro().writer(file, schema, rows, codec="deflate", metadata=dict(about))
    return file.getvalue()
