"""Lineage is recorded here, and nowhere else: after a table was published, what it holds is held against what is on record.

Whatever differs is recorded: what this run has published, and what an earlier one had published when it was killed. A partition
and what it was made of are recorded in one transaction, so there is never half of it.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from mlpipe_assets.catalog.declarations import Catalog
from mlpipe_assets.intake.delivery import Delivery
from mlpipe_assets.lineage.book import Book
from mlpipe_assets.lineage.database import Database
from mlpipe_assets.lineage.holdings import Held, Holdings, file_key, partition_digest, type_of, type_of_key
from mlpipe_assets.lineage.inputs import Origins
from mlpipe_assets.lineage.terms import DECISION, FILE, MODEL, MODEL_VERSION, TAG, Key, Told
from mlpipe_assets.stages.flow_table import Table
from mlpipe_assets.stages.predictions.plan import inputs_digest
from mlpipe_assets.store.hold import read_hold
from mlpipe_assets.store.lake import Lake
from mlpipe_assets.store.tags import list_tags, read_tag
from mlpipe_assets.training.champion_record import read_decisions

_OF_MODELS = ("processed", "models", "validation", "predictions")


@dataclass(kw_only=True)
class Teller:
    """Records what the tables of a lake hold that is not on record.

    Attributes:
        run: The id of the run that has written; empty for none.
    """

    lake: Lake
    catalog: Catalog
    database: Database
    run: str = ""
    _done: set[str] = field(default_factory=set)
    _written: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        seen = self.lake.seen() if self.run else {}  # before anything is read here
        self._holdings = Holdings(lake=self.lake, catalog=self.catalog, seen=seen)
        self._origins = Origins(holdings=self._holdings)

    def tell(self, tables: Collection[str]) -> int:
        """Record what is new of some tables, and of those that it was made of; how many executions that were.

        Raises: LineageError; LakeError when the lake cannot be read.
        """
        self._written = frozenset(tables) if self.run else frozenset()
        with self.database.writing() as connection:
            book = Book(connection=connection, at=datetime.now(tz=UTC).isoformat(timespec="milliseconds"))
            return sum(self._tell(book, self._holdings.tables[key]) for key in tables if key in self._holdings.tables)

    def tell_all(self) -> int:
        """The same of all tables, and of all tags.

        Raises: as `tell`.
        """
        count = self.tell([*self._holdings.tables])
        with self.database.writing() as connection:
            self._tell_tags(Book(connection=connection, at=datetime.now(tz=UTC).isoformat(timespec="milliseconds")))
        return count

    def _tell(self, book: Book, table: Table) -> int:
        if table.key in self._done:
            return 0
        self._done.add(table.key)
        on_record = book.held(table.key)
        there = {held.key.partition: held for held in self._holdings.of(table)}
        files = self._files(book, table)
        fresh = [held for name, held in there.items() if on_record.get(name) != held.key.digest]
        gone = [name for name in on_record if name not in there and name not in files]
        book.release(table.key, gone)
        count = self._record(book, table, fresh) if fresh else 0
        book.hold([key for name, key in files.items() if on_record.get(name) != key.digest])
        return count + (self._tell_decisions(book, table) if table.stage == "models" else 0)

    def _files(self, book: Book, table: Table) -> Mapping[str, Key]:
        """What each file of a source holds now, by name: of those taken under one name the last. All are on record then."""
        if table.stage != "raw":
            return {}
        taken = sorted(self._holdings.ledger(table.name).deliveries.values(), key=lambda one: one.place)
        book.note({file_key(one): _about(one) for one in taken}, FILE)
        return {one.source_file: file_key(one) for one in taken}

    def _record(self, book: Book, table: Table, fresh: Collection[Held]) -> int:
        how = self._how(table, fresh)
        told = [self._told(table, held, how.get(held.key.partition, {})) for held in fresh]
        known = book.find(one.made for one in told if one.made and one.type == "checkout")
        book.hold([*known], known)  # what a tag has brought back is on record already
        told = [one for one in told if one.made not in known]
        lacking = self._lacking(book, told)
        own = [one for one in told if not one.how.get("recorded")]
        later = [one for one in told if one.how.get("recorded")]
        count = sum(self._tell(book, self._holdings.tables[key]) for key in sorted({key.table for key in lacking}))
        book.record([self._told_events(key) for key in self._lacking(book, told) if key in self._origins.events], "")
        book.record(own, self.run)
        book.record(later, "")
        return count + len(told)

    def _lacking(self, book: Book, told: Collection[Told]) -> list[Key]:
        """Artifacts that are spoken of and not on record, of which a table of the flow can tell where they come from."""
        wanted = {key for one in told for key, kind in one.inputs.items() if kind != FILE}
        known = book.find(wanted)
        return sorted(key for key in wanted if key not in known and key.table in self._holdings.tables)

    def _told_events(self, key: Key) -> Told:
        """The events of a day as they were, which the ledger has no more as such."""
        source, counted = self._origins.events[key]
        files = dict.fromkeys(self._holdings.files_of(source, counted), FILE)
        return Told(
            type="raw",
            name=key.name,
            made=key,
            made_type=type_of(key.table),
            inputs=files,
            how={"recorded": "afterwards"},
        )

    def _told(self, table: Table, held: Held, how: Mapping[str, Any]) -> Told:
        return Told(
            type=table.stage if how.get("recorded") != "checkout" else "checkout",
            name=held.key.name,
            made=held.key,
            made_type=type_of_key(held.key, held.day) if table.stage != "models" else MODEL_VERSION,
            inputs={} if how.get("recorded") == "checkout" else self._origins.of(table, held),
            contexts=self._contexts(table),
            code=str(held.about.get("code_version") or held.about.get("learner_version") or ""),
            about=held.about,
            how={**how, "accepted_because": held.about.get("accepted_because")},
        )

    def _contexts(self, table: Table) -> tuple[tuple[str, str], ...]:
        if table.stage not in _OF_MODELS:
            return ()
        named = (one.name for one in self.catalog.models if table.name in (one.name, one.golden, one.served))
        return tuple((MODEL, name) for name in named)

    def _how(self, table: Table, fresh: Collection[Held]) -> Mapping[str, Mapping[str, Any]]:
        """Of partitions that this run has not published itself, how they came to be recorded."""
        before = next(iter(self._holdings.seen.get("/".join(table.place), ())), None)
        if table.key not in self._written:
            others = [*fresh]
        elif table.stage in ("raw", "models") or not table.files:
            others = []
        elif before is not None:
            there = {f"{day}": files for day, files in before.days.items()}
            now = self.lake.state(*table.place).manifest.days
            others = [held for held in fresh if held.day and there.get(f"{held.day}") == now.get(held.day)]
        else:
            others = [*fresh]
        if not others:
            return {}
        hold = read_hold(self.lake.objects)
        if hold and table.key in hold.tables:
            return {held.key.partition: {"recorded": "checkout", "tag": hold.tag} for held in others}
        doubtful = self._doubtful(table, others)
        return {
            held.key.partition: {
                "recorded": "afterwards",
                **({"inputs": "may differ"} if held.key.partition in doubtful else {}),
            }
            for held in others
        }

    def _doubtful(self, table: Table, others: Collection[Held]) -> set[str]:
        """Partitions that were made of something else than what is there now."""
        model = next((one for one in self.catalog.models if table.key == f"predictions/{one.name}"), None)
        if model:  # those of older days stay as they are, whatever their features become: no work names them
            return {
                held.key.partition
                for held in others
                if held.day
                and held.facts.get("inputs")
                != inputs_digest(self.lake, model, f"{held.facts.get('champion')}", held.day)
            }
        days = {held.day for held in others}
        work = table.behind(self.lake, lambda day: day in days) if table.behind and table.stage != "raw" else None
        return {f"{day}" for day in work.days} if work else set()

    def _tell_decisions(self, book: Book, table: Table) -> int:
        """Promotions, rollbacks and versions that were kept from leading, each once, in their order."""
        decisions = read_decisions(self.lake, table.name)
        name = f"{table.key} decision"
        known = book.connection.all("select count(*) from executions where type = ? and name = ?", (DECISION, name))
        digests = {held.key.partition: held.key for held in self._holdings.of(table)}
        told = [
            Told(
                type=DECISION,
                name=name,
                made=None,
                inputs={digests[one.version]: MODEL_VERSION} if one.version in digests else {},
                contexts=self._contexts(table),
                how={"action": one.action, "version": one.version, "reason": one.reason, "decided_at": one.at},
            )
            for one in decisions[int(known[0][0]) :]
        ]
        book.record(told, self.run)
        return len(told)

    def _tell_tags(self, book: Book) -> None:
        """Let the artifacts that each tag pins belong to it; tags that are gone belong to nobody."""
        names = {row[0] for row in book.connection.all("select name from contexts where type = ?", (TAG,))}
        there = {*list_tags(self.lake.objects)}
        for name in names - there:
            book.forget(TAG, name)
        tables = {"/".join(table.place): key for key, table in self._holdings.tables.items() if table.files}
        for name in sorted(there - names):
            tag = read_tag(self.lake.objects, name)
            pinned = [
                Key(tables[place], f"{day}", partition_digest(files))
                for place, table in tag.tables.items()
                if place in tables
                for day, files in table.days.items()
            ]
            pinned += _models_of(tag.about)
            book.belong(TAG, name, pinned, {"message": tag.message, "made_at": tag.made_at})


def _about(delivery: Delivery) -> Mapping[str, Any]:
    return {
        "rows": delivery.received,
        "known_at": delivery.known_at.isoformat(),
        "quarantined": delivery.quarantined,
        "copy_of": delivery.copy_of,
    }


def _models_of(about: Mapping[str, Any]) -> list[Key]:
    """The versions of models that a tag names as champions."""
    models = about.get("models") or {}
    return [
        Key(f"models/{name}", str(told["version"]), str(told.get("file_digest") or ""))
        for name, told in models.items()
        if isinstance(told, Mapping) and "version" in told
    ]
