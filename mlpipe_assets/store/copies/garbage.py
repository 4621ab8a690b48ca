"""What a bucket keeps of a lake and nothing names any more: found by a list, and taken away once nobody can be reading it.

A writer puts contents up before the root that names them, and a reader goes by a root that may have been replaced since. So
an object goes only when no root has named it for a day, as the clock of the bucket and a record of what was seen before tell.
Whoever calls this has the lease of the lake, and shows before each batch of removals that it has it still.
"""

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from mlpipe_assets.errors import BusyError, DamagedError, spell_count
from mlpipe_assets.store import keys
from mlpipe_assets.store.copies.downloads import Downloads
from mlpipe_assets.store.copies.inventory import (
    ROOT,
    content,
    digest_of,
    of_branch,
    parse_page,
    parse_root,
    spell_pages,
)
from mlpipe_assets.store.copies.known_files import Known
from mlpipe_assets.store.objects import ABSENT, Condition, ConflictError, Found, Head, MissingError, Objects

RECORD = "meta/unnamed.json"  # beside the root; no file of the lake
SAFE = 86_400.0  # seconds for which an object stays when nothing names it any more
_FORMAT = 1
_BATCH = 1000  # what servers take away by one request
_CONTENT = re.compile(rf"{re.escape(keys.CONTENTS)}/([0-9a-f]{{64}})")


class Object(NamedTuple):
    """An object that nothing names.

    Attributes:
        since: For how long at least, as a moment of the bucket's clock in seconds since 1970.
    """

    size: int
    since: float


@dataclass(frozen=True, kw_only=True)
class Garbage:
    """What a look into a bucket found.

    Attributes:
        named: How many objects the root, manifests and tags name.
        named_size: Their bytes.
        may_go: What nothing names, and has not for long enough, by key.
        waiting: What nothing names since less than that.
        roots: The version of each root that was looked at, of main and of branches, by key; none where there is no lake.
        record: The version of the record of what was seen before.
    """

    named: int = 0
    named_size: int = 0
    may_go: Mapping[str, Object] = field(default_factory=dict)
    waiting: Mapping[str, Object] = field(default_factory=dict)
    roots: Mapping[str, str] = field(default_factory=dict)
    record: str | Condition = ABSENT


def find_garbage(
    downloads: Downloads, known: Iterable[Known], named: Iterable[str], safe: float = SAFE, branches: Iterable[str] = ()
) -> Garbage:
    """What no root of a lake names; nothing where main has none: somebody may be copying a lake there.

    Args:
        downloads: Reads from the bucket, whose lease has just been renewed, so that there is an object with its time of now.
        known: What copies on this machine know: pages that these agree with are not read again.
        named: Digests that stay besides: those of manifests and tags.
        safe: Seconds that an object stays.
        branches: Each has a root of its own; the lease of each is held, too.

    Raises: DamagedError when an object that the root names is not there: something else is wrong, so nothing may go. StoreError.
    """
    objects = downloads.objects
    try:
        roots = {of_branch(ROOT, branch): objects.get(of_branch(ROOT, branch)) for branch in ("", *branches)}
    except MissingError:
        return Garbage()
    needed = _names_of(roots.values(), downloads, known)
    heads = {head.key: head for head in objects.list(keys.META)}
    heads |= {head.key: head for head in objects.list(keys.BRANCHES)} if len(roots) > 1 else {}
    there = {found[1]: head for head in objects.list(keys.CONTENTS) if (found := _CONTENT.fullmatch(head.key))}
    if lost := sorted(needed - there.keys()):
        more = f", and so are {spell_count(len(lost) - 1, 'more object')}" if len(lost) > 1 else ""
        raise DamagedError(
            f"{objects.locate(content(lost[0]))} is gone, and the lake needs it{more}. Nothing was taken away from the "
            "bucket. Restore it from a copy of the bucket."
        )
    record, seen = _read_record(objects) if RECORD in heads else (ABSENT, {})
    needed |= {*named}
    put = max(head.modified for key in roots if (head := heads.get(key))).timestamp()
    free = {
        head.key: Object(head.size, _since(head, put, seen.get(digest)))
        for digest, head in there.items()
        if digest not in needed
    }
    limit = max(head.modified for head in heads.values()).timestamp() - safe
    kept = [head.size for digest, head in there.items() if digest in needed]
    return Garbage(
        named=len(kept),
        named_size=sum(kept),
        may_go={key: one for key, one in free.items() if one.since <= limit},
        waiting={key: one for key, one in free.items() if one.since > limit},
        roots={key: root.tag for key, root in roots.items()},
        record=record,
    )


def remove_garbage(objects: Objects, garbage: Garbage, expect_held: Callable[[], object]) -> None:
    """Put on record what nothing names, and take away what may go.

    Args:
        objects: The bucket.
        garbage: What was found there.
        expect_held: Renews the lease; raises BusyError when another has it.

    Raises: BusyError when another machine took over, or has published; what was taken away by then nobody needed. StoreError.
    """
    free = {**garbage.may_go, **garbage.waiting}
    if free or garbage.record is not ABSENT:
        try:
            objects.put(RECORD, _spell_record(free), garbage.record)
        except ConflictError as error:
            raise _busy(objects) from error
    for batch in _batches(sorted(garbage.may_go)):
        expect_held()
        if any(objects.get_if_changed(key, version) is not None for key, version in garbage.roots.items()):
            raise _busy(objects)
        objects.delete_many(batch)


def _names_of(roots: Iterable[Found], downloads: Downloads, known: Iterable[Known]) -> set[str]:
    """Every digest that roots name: their pages, and what is on them."""
    spelled = [page for one in known for page in spell_pages(one.inventory().files).values()]
    there = {digest_of(page): page for page in spelled}
    pages = {digest for root in roots for digest in parse_root(root.content).values()}
    found = {*pages}
    for digest in pages:
        rows = parse_page(there[digest], digest) if digest in there else downloads.read_page(digest)
        found |= {kept.sha256 for kept in rows.values()}
    return found


def _since(head: Head, root: float, seen: float | None) -> float:
    """Since when at the latest nothing names an object.

    Only another root makes an object unnamed, so it has not been named since the root was put. What was seen unnamed before is
    so since then, unless it was written again: a writer who needs what the root does not name always writes it.
    """
    written = head.modified.timestamp()
    return seen if seen is not None and written < seen else max(root, written)


def _batches(names: list[str]) -> Iterator[list[str]]:
    yield from (names[start : start + _BATCH] for start in range(0, len(names), _BATCH))


def _read_record(objects: Objects) -> tuple[str | Condition, dict[str, float]]:
    """The record with its version; one that cannot be read says nothing, and objects stay for longer."""
    try:
        found = objects.get(RECORD)
    except MissingError:
        return ABSENT, {}
    try:
        document = json.loads(found.content)
        since = dict(document["since"]) if document["format"] == _FORMAT else {}
        return found.tag, {digest: float(moment) for moment, digests in since.items() for digest in digests}
    except (ValueError, LookupError, TypeError):
        return found.tag, {}


def _spell_record(free: Mapping[str, Object]) -> bytes:
    moments: dict[float, list[str]] = {}
    for key, one in free.items():
        moments.setdefault(one.since, []).append(key.rpartition("/")[2])
    since = {f"{moment!r}": sorted(digests) for moment, digests in sorted(moments.items())}
    return json.dumps({"format": _FORMAT, "since": since}, separators=(",", ":")).encode() + b"\n"


def _busy(objects: Objects) -> BusyError:
    return BusyError(
        f"{objects.locate(ROOT)}: another machine has published to this lake, so no more of the bucket was taken away. Run again."
    )
