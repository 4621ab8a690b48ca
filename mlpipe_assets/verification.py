"""Every file of the lake held against what was written to it; `mlpipe verify` prints it."""

import os
import stat
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path

from mlpipe_assets.catalog.declarations import Catalog
from mlpipe_assets.errors import DamagedError, LakeError, SettingsError
from mlpipe_assets.flow import written_folders
from mlpipe_assets.intake.deliveries import Ledger
from mlpipe_assets.rebuilds import Rebuilds
from mlpipe_assets.settings import file_mode
from mlpipe_assets.stages.raw.healing import Healing
from mlpipe_assets.store import keys
from mlpipe_assets.store.digest_log import log_path, read_log
from mlpipe_assets.store.digests import accuse, cure_of, damage
from mlpipe_assets.store.lake import Lake
from mlpipe_assets.store.records import Record
from mlpipe_assets.store.table_state import TableState
from mlpipe_assets.tagging.verifying import look_at_pinned


@dataclass(frozen=True, kw_only=True)
class Wrong:
    """A file that is not as it should be.

    Attributes:
        path: Below the data folder.
        what: What is wrong with it.
        again: Whether `mlpipe run` makes it again.
        to_do: What to do.
        table: The table that cannot be judged for it.
    """

    path: str
    what: str
    again: bool
    to_do: str
    table: str = ""


@dataclass(kw_only=True)
class Verified:
    """What a look at every file found.

    Attributes:
        files: Files held against their digest.
        size: Their bytes.
        wrong: Those that are not what they should be, files that nobody put on record, and records that cannot be read.
        unknown: Files of tables that no digest was ever kept of.
        open_to_others: Files that users may read whom MLPIPE_FILE_MODE does not name.
    """

    files: int = 0
    size: int = 0
    wrong: list[Wrong] = field(default_factory=list)
    unknown: int = 0
    open_to_others: int = 0


def verify(lake: Lake, catalog: Catalog, table: str | None, progress: Callable[[Verified], None]) -> Verified:
    """Read every file of the lake, or of one table, and say what is not as it was written.

    Args:
        lake: The lake.
        catalog: Its sources, to tell which events can be made again.
        table: A table such as `interim/orders` or `raw/orders`; None takes all.
        progress: Called every now and then with what was found so far.

    Raises: SettingsError for a table that the lake does not have.
    """
    found = Verified()
    recorded = _recorded(lake, found, table)
    published = _published(lake, found, table)
    there = {
        str(path.relative_to(lake.root)): path
        for path in _files(lake.root)
        if _wanted(path.relative_to(lake.root), table)
    }
    unread = {wrong.table for wrong in found.wrong if wrong.table}  # nobody can say which of their files are on record
    if table and not recorded and not published and not there:
        raise SettingsError(
            f"{table} has no files in {lake.root}. Name a table as mlpipe status does, such as interim/orders."
        )
    with ThreadPoolExecutor(2 * (os.cpu_count() or 1)) as threads:
        looks = threads.map(
            lambda name: (name, published[name].look() if name in published else damage(lake.root, lake.root / name)),
            sorted({*recorded, *published}),
        )
        for name, wrong in looks:
            found.files += 1
            found.size += there[name].stat().st_size if name in there and not wrong else 0
            if wrong:
                found.wrong.append(_described(lake, catalog, Path(name), wrong))
                if name in published:  # so that the next run decides by content
                    published[name].suspect()
                else:
                    with suppress(DamagedError):
                        accuse(lake.root, lake.root / name, wrong)
            progress(found)
    for pinned in look_at_pinned(lake, table):
        found.files += 1
        found.size += pinned.size
        if pinned.wrong:
            found.wrong.append(Wrong(path=pinned.path, what=pinned.wrong, again=False, to_do=pinned.to_do))
        progress(found)
    found.wrong = _without_promises_that_fail(lake, catalog, found.wrong)
    for name, path in sorted(there.items()):
        if f"{keys.table_of(Path(name))}" in unread or Path(name) in {
            Path(wrong.path) for wrong in found.wrong if wrong.table
        }:
            continue
        _look_at_other(lake, found, Path(name), path, recorded=name in recorded or name in published)
    return found


@dataclass(frozen=True, kw_only=True)
class _Published:
    """A file that the manifest of its table speaks of."""

    state: TableState
    day: date
    file: str

    def look(self) -> str | None:
        """What is wrong with it by its content; None when nothing is."""
        return self.state.damage(self.day, self.file)

    def suspect(self) -> None:
        """Let no size and time vouch for it any more."""
        self.state.suspect(self.day, self.file)


def _published(lake: Lake, found: Verified, table: str | None) -> dict[str, _Published]:
    """Files that manifests speak of, by path below the data folder."""
    files: dict[str, _Published] = {}
    for path in sorted((lake.root / keys.TABLES).glob("*.json")):
        name = keys.table_of_manifest(path.name)
        try:
            state = lake.state(*name.rsplit("/", 1))
        except LakeError as error:
            found.wrong.append(
                Wrong(
                    path=f"{path.relative_to(lake.root)}",
                    what="cannot be read",
                    again=False,
                    to_do=f"{error}",
                    table=name,
                )
            )
            continue
        for day, parts in state.manifest.days.items():
            for file in parts:
                key = f"{name}/{keys.name_day(day)}/{file}"
                if _wanted(Path(key), table):
                    files[key] = _Published(state=state, day=day, file=file)
    return files


def _without_promises_that_fail(lake: Lake, catalog: Catalog, wrong: list[Wrong]) -> list[Wrong]:
    """The same, where what is built again of something that a person must bring back first says so."""
    lost = Rebuilds(lake=lake, catalog=catalog).find_hindered({w.path: w.again for w in wrong})
    return [
        replace(w, again=False, to_do=f"It is built from {lost[w.path]}, so bring that back first, then: mlpipe run.")
        if w.path in lost
        else w
        for w in wrong
    ]


def _recorded(lake: Lake, found: Verified, table: str | None) -> set[str]:
    """Files on record, by path below the data folder."""
    names: set[str] = set()
    for path in sorted((lake.root / keys.DIGESTS).glob("*.log")):
        try:
            log = read_log(lake.root, Path(*path.stem.split(".")))
        except LakeError as error:
            found.wrong.append(
                Wrong(path=f"{path.relative_to(lake.root)}", what="is damaged", again=False, to_do=f"{error}")
            )
            continue
        files = log.files if log else {}
        names |= {name for name, allowed in files.items() if any(allowed) and _wanted(Path(name), table)}
    return names


def _files(root: Path) -> Iterator[Path]:
    for folder in written_folders():
        for path in (root / folder).rglob("*"):
            if path.is_file() and not path.name.startswith("."):
                yield path


def _wanted(name: Path, table: str | None) -> bool:
    if table is None:
        return True
    parts = Path(table).parts
    if parts[:1] == (keys.DROP_ZONE,) and parts[1:2] != Path(keys.EVENTS).parts[1:]:
        parts = (*Path(keys.EVENTS).parts, *parts[1:])
    return name.parts[: len(parts)] == parts


def _look_at_other(lake: Lake, found: Verified, name: Path, path: Path, *, recorded: bool) -> None:
    """One file that is there: records must be readable, other files on record; who may read it is counted."""
    allowed = file_mode()
    with suppress(OSError):
        found.open_to_others += bool(stat.S_IMODE(path.stat().st_mode) & ~allowed & 0o077)
    table = keys.table_of(name)
    if table is None:
        if path.suffix == ".json" and keys.is_below(name, keys.META):
            again = f"{name}" == keys.REPORT_INPUTS  # no run reads it but to see whether the report is up to date
            cure = "Next: mlpipe run; it is written again." if again else "Restore it from a copy."
            try:
                Record(objects=lake.objects, key=f"{name}", parse=bool, cure=cure).read()
            except LakeError as error:
                found.wrong.append(Wrong(path=f"{name}", what="cannot be read", again=again, to_do=f"{error}"))
    elif recorded:
        return
    elif log_path(lake.root, table).exists() or (lake.root / keys.manifest(f"{table}")).exists():
        found.wrong.append(
            Wrong(
                path=f"{name}",
                what="is not on record: mlpipe did not write it",
                again=False,
                to_do="Find out who did; if nobody needs it, delete it.",
            )
        )
    else:
        found.unknown += 1


def _described(lake: Lake, catalog: Catalog, name: Path, wrong: str) -> Wrong:
    again = keys.is_made_of_others(name)
    to_do = "Next: mlpipe run; it is built again." if again else cure_of(name)
    if not again and any(keys.is_below(name, folder) for folder in (keys.EVENTS, keys.QUARANTINE)):
        source = next((s for s in catalog.sources if s.name == name.parts[2]), None)
        delivery = Ledger.load(lake, source.name).deliveries.get(name.stem.partition("-")[0]) if source else None
        if source and delivery:
            healing = Healing(lake=lake, source=source, ledger=Ledger.load(lake, source.name))
            found = healing.look_at(delivery, [lake.root / name])
            again, to_do = found.source_file is not None, str(found)
    return Wrong(path=f"{name}", what=wrong, again=again, to_do=to_do)
