"""What a table of the lake holds now, partition by partition, with digests: the artifacts of lineage."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property
from typing import Any

from mlpipe_assets.catalog.declarations import Catalog, Source, is_snapshot
from mlpipe_assets.flow import tables_of
from mlpipe_assets.intake.deliveries import Ledger
from mlpipe_assets.intake.delivery import Delivery
from mlpipe_assets.lineage.terms import FILE, TYPES, Key
from mlpipe_assets.rules import digest
from mlpipe_assets.stages.flow_table import Table
from mlpipe_assets.store.lake import Lake
from mlpipe_assets.store.manifest import Manifest, Part
from mlpipe_assets.training.versions import versions

_SAID = ("code_version", "champion", "feature_version", "accepted_because", "engine")  # facts that become properties
_COUNTS = ("received", "accepted", "duplicates", "quarantined", "rows")


@dataclass(frozen=True, kw_only=True)
class Held:
    """One partition as a table holds it.

    Attributes:
        day: Its day; None of what has no day of its own.
        about: Its properties: counts, code version and the like, never a value of the data.
        facts: How it was made, as its manifest says.
    """

    key: Key
    day: date | None
    about: Mapping[str, Any]
    facts: Mapping[str, Any]


def partition_digest(files: Mapping[str, Part]) -> str:
    """Digest of all files of a partition: of a single one its own SHA-256."""
    if len(files) == 1:
        return next(iter(files.values())).sha256
    return hashlib.sha256("".join(f"{name}:{files[name].sha256}\n" for name in sorted(files)).encode()).hexdigest()


def type_of(table: str) -> str:
    """The type of the artifacts of a table, of the built-in stages by a name of its own."""
    stage = table.partition("/")[0]
    return TYPES.get(stage, stage.capitalize())


def type_of_key(key: Key, day: date | None) -> str:
    """The type of one artifact: of a raw table days are events, and all else are files."""
    return FILE if key.table.startswith("raw/") and day is None else type_of(key.table)


@dataclass(kw_only=True)
class Holdings:
    """What every table of a catalog holds.

    Attributes:
        seen: What tables held when a run read them, by the folder of their days: where it is known it counts as what was read.
    """

    lake: Lake
    catalog: Catalog
    seen: Mapping[str, Sequence[Manifest]] = field(default_factory=dict)
    _digests: dict[int, dict[str, str]] = field(default_factory=dict)

    @cached_property
    def tables(self) -> Mapping[str, Table]:
        """The tables of the flow that lineage knows, by key."""
        return {table.key: table for table in tables_of(self.catalog) if _is_known(table)}

    def of(self, table: Table) -> list[Held]:
        """What a table holds now.

        Raises: LakeError when its records cannot be read.
        """
        match table.stage:
            case "raw":
                return self._events(self.catalog.source(table.name))
            case "models":
                return self._versions(table.name)
            case _ if not table.files:
                return self._whole(table)
            case _:
                days = self.lake.state(*table.place).manifest.days
                return [_held(table.key, day, files) for day, files in days.items()]

    def digests(self, table: Table) -> list[Mapping[str, str]]:
        """The digest of each partition of a table, by each state of it that this run has read; by the one of now where it read none."""
        if table.stage in ("raw", "models") or not table.files:
            return [{held.key.partition: held.key.digest for held in self.of(table)}]
        seen = self.seen.get("/".join(table.place)) or [self.lake.state(*table.place).manifest]
        return [self._of_manifest(manifest) for manifest in seen]

    def _of_manifest(self, manifest: Manifest) -> Mapping[str, str]:
        found = self._digests.get(id(manifest))
        if found is None:
            found = {f"{day}": partition_digest(files) for day, files in manifest.days.items()}
            self._digests[id(manifest)] = found
        return found

    def ledger(self, source: str) -> Ledger:
        """The deliveries of a source."""
        if source not in self._ledgers:
            self._ledgers[source] = Ledger.load(self.lake, source)
        return self._ledgers[source]

    @cached_property
    def _ledgers(self) -> dict[str, Ledger]:
        return {}

    def events_of(self, source: str, day: date, among: Iterable[str] | None = None) -> tuple[Key, list[Delivery]]:
        """The events of a day as an artifact, and the deliveries whose rows count in it.

        Rows of a file that its sender has replaced count no more, but where rows are read as they were known; of a snapshot
        counts the newest.

        Args:
            source: The source.
            day: The day.
            among: The deliveries that there were; None for all.
        """
        declared, ledger = self.catalog.source(source), self.ledger(source)
        there = ledger.of_day(day)
        if among is not None:
            known = {*among}
            there = [one for one in there if one.delivery in known]
        counted = self._counted(declared, ledger, there)
        made_of = digest([one.stem for one in counted])
        return Key(f"raw/{source}", f"{day}", made_of), counted

    def _counted(self, source: Source, ledger: Ledger, there: Sequence[Delivery]) -> list[Delivery]:
        if is_snapshot(source):
            return [*there[-1:]]
        if source.name in self._as_known:
            return [*there]
        present = {one.delivery for one in there}
        replaced = {former for former, latter, _ in ledger.replacements() if former in present}
        return [one for one in there if one.delivery not in replaced]

    @cached_property
    def _as_known(self) -> set[str]:
        return {name for view in self.catalog.feature_views if view.is_as_known for name in view.inputs}

    def files_of(self, source: str, counted: Sequence[Delivery]) -> list[Key]:
        """The files that some deliveries were, and those that were found to be copies of them."""
        named = {one.delivery for one in counted}
        copies = [one for one in self.ledger(source).deliveries.values() if one.copy_of in named]
        return [file_key(one) for one in (*counted, *copies)]

    def _events(self, source: Source) -> list[Held]:
        found: list[Held] = []
        for day in self.ledger(source.name).days_in_partitions():
            key, counted = self.events_of(source.name, day)
            rows = sum(one.events.get(day, 0) for one in counted)
            found.append(Held(key=key, day=day, about={"rows": rows, "files": len(counted)}, facts={}))
        return found

    def _versions(self, model: str) -> list[Held]:
        rows = versions(self.lake, model)
        return [
            Held(
                key=Key(f"models/{model}", row["version"], row["file_digest"]),
                day=None,
                about={
                    **{name: row[name] for name in ("feature_version", "learner_version", "rows", "libraries")},
                    **{name: f"{row[name]}" for name in ("as_of", "first_day", "last_day")},
                    **{n: v for n, v in row.items() if n.startswith(("test_", "validation_")) and v is not None},
                },
                facts=row,
            )
            for row in rows
        ]

    def _whole(self, table: Table) -> list[Held]:
        holding = table.holds(self.lake) if table.holds else None
        if holding is None:
            return []
        key = Key(table.key, f"{holding.day}", holding.digest)
        return [Held(key=key, day=holding.day, about={"rows": holding.rows}, facts={})]


def file_key(delivery: Delivery) -> Key:
    """A file as an artifact: its name, and what it held."""
    return Key(f"raw/{delivery.source}", delivery.source_file, delivery.content)


def _held(table: str, day: date, files: Mapping[str, Part]) -> Held:
    main = next((part for name, part in files.items() if name == "part.parquet"), next(iter(files.values())))
    about: dict[str, Any] = {name: main.facts[name] for name in (*_SAID, *_COUNTS) if name in main.facts}
    if len(files) > 1 and "rows" not in about:
        about["rows"] = sum(part.facts.get("rows", 0) for part in files.values())
    about["bytes"] = sum(part.size for part in files.values())
    return Held(key=Key(table, f"{day}", partition_digest(files)), day=day, about=about, facts=main.facts)


def _is_known(table: Table) -> bool:
    """Whether a table has artifacts: all but the report, a page about the others, and the warehouse, a copy of them."""
    return bool(table.files) or table.stage == "raw" or (table.holds is not None and table.stage != "warehouse")
