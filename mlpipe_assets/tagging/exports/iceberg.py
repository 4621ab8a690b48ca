"""Tables of a tag as tables of Apache Iceberg: a snapshot with a reference called as the tag, over the lake's own Parquet files.

An Iceberg table is a document that names snapshots; each names its data files by a manifest. Documents and manifests are never
written again: the next document has the next number, and is made only where none of that number is.
"""

import hashlib
import json
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from mlpipe_assets.catalog.declarations import Catalog
from mlpipe_assets.errors import BusyError, LakeError, SettingsError
from mlpipe_assets.stages.flow_table import Table
from mlpipe_assets.store.lake import Lake
from mlpipe_assets.store.local import LocalObjects
from mlpipe_assets.store.objects import ABSENT, ConflictError
from mlpipe_assets.store.tags import Tag
from mlpipe_assets.tagging.exports.iceberg_files import (
    ADDED,
    DAY,
    DELETED,
    EXISTING,
    SPLIT,
    Entry,
    expect_avro,
    read_manifest,
    read_manifest_list,
    spell_manifest,
    spell_manifest_list,
    spell_partitions,
)
from mlpipe_assets.tagging.exports.iceberg_schema import Numbers, spell_columns
from mlpipe_assets.tagging.exports.pinned_files import Exported, PinnedFile, files_of, tables_to_export, take_file
from mlpipe_assets.tagging.own_lake import Written

_MAPPING = "schema.name-mapping.default"
_MAIN = "main"  # the branch that readers take who name nothing; it is the tag exported last
_HINT = "version-hint.text"


def export_iceberg(
    lake: Lake, catalog: Catalog, tag: Tag, out: Path, *, tables: Sequence[str], copy: bool, now: datetime
) -> list[Exported]:
    """Give each table a snapshot that is the tag, in an Iceberg table below a folder, which may have others already.

    Args:
        lake: The lake that has the tag.
        catalog: What exists.
        tag: The tag.
        out: Where to; each table has a folder in it.
        tables: Such as `interim/orders`; none for all that the tag pins.
        copy: Take the data files along, as links or copies; else they are named where the lake has them.
        now: In UTC.

    Raises: SettingsError for types that Iceberg does not have, and for a name that stands for another content there;
        DamagedError when a content is not what the tag says; BusyError when another export writes the same table; StoreError.
    """
    expect_avro()
    chosen = [(table, list(files_of(lake, tag, table))) for table in tables_to_export(catalog, tag, tables)]
    ready = [_IcebergTable.open(out, table, tag.name) for table, _ in chosen]
    plans = [
        one.plan(table, files) for one, (table, files) in zip(ready, chosen, strict=True)
    ]  # all, before one is written
    return [one.add(plan, copy=copy, now=now) for one, plan in zip(ready, plans, strict=True)]


@dataclass(frozen=True, kw_only=True)
class _Plan:
    """What a snapshot is to name."""

    table: Table
    files: Sequence[PinnedFile]
    fields: Sequence[Mapping[str, Any]]
    numbers: Numbers
    splits: bool


@dataclass(frozen=True, kw_only=True)
class _IcebergTable:
    """An Iceberg table, as it is."""

    folder: Path
    tag: str
    number: int
    document: Mapping[str, Any]

    @classmethod
    def open(cls, out: Path, table: Table, tag: str) -> "_IcebergTable":
        """Raises: LakeError when its newest document cannot be read."""
        folder = out.absolute() / table.key.replace("/", ".")
        found = [path for path in (folder / "metadata").glob("v*.metadata.json") if path.name[1:-14].isdigit()]
        numbers = [int(path.name[1:-14]) for path in found]
        number, document = max(numbers, default=0), dict[str, Any]()
        if number:
            path = folder / "metadata" / f"v{number}.metadata.json"
            try:
                document = json.loads(path.read_bytes())
            except (OSError, ValueError) as error:
                raise LakeError(f"{path} cannot be read: {error}. Name another folder with --out.") from error
        return cls(folder=folder, tag=tag, number=number, document=document)

    def plan(self, table: Table, files: Sequence[PinnedFile]) -> _Plan:
        """Raises: SettingsError."""
        mapping = json.loads(self.document.get("properties", {}).get(_MAPPING, "[]"))
        numbers = Numbers(mapping, self.document.get("last-column-id", 0))
        splits = len([name for name in table.files if name.endswith(".parquet")]) > 1
        earlier = [schema["fields"] for schema in self.document.get("schemas", ())]
        fields = spell_columns(table.key, [file.schema() for file in files], earlier, numbers)
        for name, kind in ((DAY, "date"), *(((SPLIT, "string"),) if splits else ())):
            fields = [field for field in fields if field["name"] != name]
            fields.append({"id": numbers.of(name), "name": name, "required": False, "type": kind})
        return _Plan(table=table, files=files, fields=fields, numbers=numbers, splits=splits)

    def add(self, plan: _Plan, *, copy: bool, now: datetime) -> Exported:
        """Add the snapshot. Raises: SettingsError; BusyError; StoreError."""
        done = Exported(table=plan.table.key, folder=self.folder, files=0)
        before = {entry.path: entry for entry in self._entries(self.document.get("refs", {}).get(self.tag))}
        if before or self.tag in self.document.get("refs", {}):
            if sorted(map(_key_of, before)) != sorted(file.key for file in plan.files if file.rows()):
                raise SettingsError(
                    f"{self.folder} has a tag {self.tag!r} already, of another content, and what a name stands for does not change. "
                    "Export into another folder (--out)."
                )
            done.files, done.rows, done.is_new = len(before), sum(entry.rows for entry in before.values()), False
            return done
        sequence = self.document.get("last-sequence-number", 0) + 1
        snapshot = _draw_number(self.tag, sequence, plan.files)
        there = {entry.path: entry for entry in self._entries(self.document.get("refs", {}).get(_MAIN))}
        entries = []
        for file in plan.files:
            if not (rows := file.rows()):  # no reader gains by a file without rows, and some trip over one
                continue
            path = _uri(self._bring(file, done.written, copy=copy))
            known = there.pop(path, None)
            split = file.file.rpartition(".")[0] if plan.splits else None
            made = Entry(
                status=ADDED,
                snapshot=snapshot,
                sequence=sequence,
                path=path,
                day=file.day,
                split=split,
                rows=rows,
                size=file.part.size,
            )
            entries.append(
                replace(made, status=EXISTING, snapshot=known.snapshot, sequence=known.sequence) if known else made
            )
        done.files, done.rows = len(entries), sum(entry.rows for entry in entries)
        gone = [replace(entry, status=DELETED, snapshot=snapshot) for entry in there.values()]
        self._write(plan, [*entries, *gone], snapshot, sequence, now)
        return done

    def _write(self, plan: _Plan, entries: Sequence[Entry], snapshot: int, sequence: int, now: datetime) -> None:
        schemas = list(self.document.get("schemas", ()))
        alike = [schema["schema-id"] for schema in schemas if schema["fields"] == list(plan.fields)]
        schema_id = alike[0] if alike else len(schemas)
        if not alike:
            schemas.append(
                {"type": "struct", "schema-id": schema_id, "identifier-field-ids": [], "fields": list(plan.fields)}
            )
        objects = LocalObjects(self.folder.parent)  # the folder of an Iceberg table is no place for our locks
        below = f"{self.folder.name}/metadata"
        name = f"{below}/{snapshot}-{uuid.uuid4()}"
        manifest = spell_manifest(entries, plan.fields, schema_id, splits=plan.splits)
        objects.put(f"{name}-m0.avro", manifest)
        manifest_list = spell_manifest_list(
            _uri(objects.root / f"{name}-m0.avro"), len(manifest), entries, snapshot, sequence
        )
        objects.put(f"{name}-list.avro", manifest_list)
        at = max(int(now.timestamp() * 1000), self.document.get("last-updated-ms", 0) + 1)
        document = self._after(
            plan, schemas, schema_id, snapshot, sequence, at, _uri(objects.root / f"{name}-list.avro")
        )
        document["snapshots"][-1]["summary"] = _summarise(self.tag, entries)
        try:
            objects.put(f"{below}/v{self.number + 1}.metadata.json", json.dumps(document, indent=1).encode(), ABSENT)
        except ConflictError as error:
            raise BusyError(f"{self.folder}: another export has just written this table. Run again.") from error
        objects.put(f"{below}/{_HINT}", f"{self.number + 1}".encode())

    def _after(
        self,
        plan: _Plan,
        schemas: Sequence[Mapping[str, Any]],
        schema_id: int,
        snapshot: int,
        sequence: int,
        at: int,
        manifest_list: str,
    ) -> dict[str, Any]:
        """The document with one more snapshot."""
        before = self.document
        parent = before.get("current-snapshot-id")
        made = {
            "snapshot-id": snapshot,
            **({"parent-snapshot-id": parent} if parent else {}),
            "sequence-number": sequence,
            "timestamp-ms": at,
            "manifest-list": manifest_list,
            "schema-id": schema_id,
        }
        refs = {**before.get("refs", {}), _MAIN: {"snapshot-id": snapshot, "type": "branch"}}
        last = {"metadata-file": _uri(self.folder / f"metadata/v{self.number}.metadata.json")}
        return {
            "format-version": 2,
            "table-uuid": before.get("table-uuid", f"{uuid.uuid4()}"),
            "location": _uri(self.folder),
            "last-sequence-number": sequence,
            "last-updated-ms": at,
            "last-column-id": plan.numbers.last,
            "schemas": list(schemas),
            "current-schema-id": schema_id,
            "partition-specs": [{"spec-id": 0, "fields": spell_partitions(plan.fields, splits=plan.splits)}],
            "default-spec-id": 0,
            "last-partition-id": 1000 + plan.splits,
            "sort-orders": [{"order-id": 0, "fields": []}],
            "default-sort-order-id": 0,
            "properties": {_MAPPING: json.dumps(plan.numbers.mapping())},
            "current-snapshot-id": snapshot,
            "refs": refs | {self.tag: {"snapshot-id": snapshot, "type": "tag"}},
            "snapshots": [*before.get("snapshots", ()), made],
            "snapshot-log": [*before.get("snapshot-log", ()), {"timestamp-ms": at, "snapshot-id": snapshot}],
            "metadata-log": [
                *before.get("metadata-log", ()),
                *([{"timestamp-ms": before["last-updated-ms"], **last}] if before else []),
            ],
        }

    def _entries(self, ref: Mapping[str, Any] | None) -> list[Entry]:
        """The data files of a snapshot."""
        wanted = ref and ref["snapshot-id"]
        lists = [s["manifest-list"] for s in self.document.get("snapshots", ()) if s["snapshot-id"] == wanted]
        paths = [path for listed in lists for path in read_manifest_list(self._get(listed))]
        return [entry for path in paths for entry in read_manifest(self._get(path))]

    def _get(self, uri: str) -> bytes:
        """A file of the metadata, wherever the folder was when it was written."""
        path = self.folder / "metadata" / uri.rpartition("/")[2]
        try:
            return path.read_bytes()
        except OSError as error:
            raise LakeError(f"{path} cannot be read: {error.strerror}. Name another folder with --out.") from error

    def _bring(self, file: PinnedFile, written: Written, *, copy: bool) -> Path:
        if not copy and file.path == file.content:
            return file.content
        target = self.folder / "data" / file.key
        if not target.exists() or target.stat().st_size != file.part.size:
            take_file(file.path, target, root=self.folder, written=written)
        return target


def _summarise(tag: str, entries: Sequence[Entry]) -> dict[str, str]:
    counts = {status: [e for e in entries if e.status == status] for status in (ADDED, EXISTING, DELETED)}
    held = counts[ADDED] + counts[EXISTING]
    return {
        "operation": "overwrite" if counts[DELETED] else "append",
        "mlpipe.tag": tag,
        "added-data-files": f"{len(counts[ADDED])}",
        "added-records": f"{sum(e.rows for e in counts[ADDED])}",
        "deleted-data-files": f"{len(counts[DELETED])}",
        "deleted-records": f"{sum(e.rows for e in counts[DELETED])}",
        "total-data-files": f"{len(held)}",
        "total-records": f"{sum(e.rows for e in held)}",
        "total-files-size": f"{sum(e.size for e in held)}",
    }


def _draw_number(tag: str, sequence: int, files: Sequence[PinnedFile]) -> int:
    """The number of a snapshot, from what it is of."""
    text = json.dumps([tag, sequence, [file.key for file in files]])
    return int(hashlib.sha256(text.encode()).hexdigest()[:15], 16)


def _uri(path: Path) -> str:
    return f"file://{path}"


def _key_of(uri: str) -> str:
    """What a data file is called in any export: by day, name and digest."""
    return "/".join(uri.rsplit("/", 2)[1:])
