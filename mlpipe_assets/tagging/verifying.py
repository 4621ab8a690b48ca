"""Contents that only tags name, held against their digests."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from mlpipe_assets.errors import LakeError
from mlpipe_assets.store import keys
from mlpipe_assets.store.digests import content_digest
from mlpipe_assets.store.hold import read_hold
from mlpipe_assets.store.lake import Lake
from mlpipe_assets.store.manifest import Part
from mlpipe_assets.store.swaps import swapped_tables
from mlpipe_assets.store.tags import Pinned, list_tags, read_tag

_RESTORE = "Restore it from a copy of the lake that has it"


@dataclass(frozen=True, kw_only=True)
class Looked:
    """One content, or a tag that cannot be read.

    Attributes:
        path: Below the data folder.
        wrong: What is wrong with it; nothing when it holds what was written to it.
        to_do: What to do then.
    """

    path: str
    size: int
    wrong: str = ""
    to_do: str = ""


def look_at_pinned(lake: Lake, table: str | None) -> Iterator[Looked]:
    """Every content that a tag names and the newest state does not, each once.

    Args:
        lake: The lake.
        table: A table such as `interim/orders`; None takes all.
    """
    seen: set[Path] = set()
    for name, pinned in _tags(lake):
        if isinstance(pinned, Looked):
            yield pinned
            continue
        for place, of in pinned.items():
            if table in (None, place):
                for path, part in _contents(lake, place, of):
                    if path not in seen:
                        seen.add(path)
                        yield _look(lake, path, part, name)


def _tags(lake: Lake) -> Iterator[tuple[str, dict[str, Pinned] | Looked]]:
    """What each tag pins, and what a checkout left."""
    for name in list_tags(lake.objects):
        try:
            yield f"tag {name}", dict(read_tag(lake.objects, name).tables)
        except LakeError as error:
            yield name, Looked(path=keys.tag(name), size=0, wrong="cannot be read", to_do=f"{error}")
    try:
        if hold := read_hold(lake.objects):
            yield f"the way back from tag {hold.tag}", dict(hold.left)
    except LakeError as error:
        yield "", Looked(path=keys.CHECKOUT, size=0, wrong="cannot be read", to_do=f"{error}")
    try:
        swapped_tables(lake.objects)
    except LakeError as error:
        yield "", Looked(path=keys.SWAP, size=0, wrong="cannot be read", to_do=f"{error}")


def _contents(lake: Lake, place: str, pinned: Pinned) -> Iterator[tuple[Path, Part]]:
    table = lake.table(*place.rsplit("/", 1))
    try:
        newest = table.state().manifest.contents()
    except LakeError:  # its manifest is named by who looks at the table
        newest = set()
    for day, files in pinned.days.items():
        for file, part in files.items():
            path = table.contents.content(day, file, part)
            if f"{path.parent.name}/{path.name}" not in newest:
                yield path, part


def _look(lake: Lake, path: Path, part: Part, name: str) -> Looked:
    key = f"{path.relative_to(lake.root)}"
    try:
        found = content_digest(path)
    except FileNotFoundError:
        return Looked(path=key, size=0, wrong="is gone", to_do=f"{_RESTORE}; {name} names it")
    except OSError as error:
        return Looked(
            path=key, size=0, wrong=f"cannot be read: {error.strerror}", to_do=f"Let this user read it; {name} names it"
        )
    wrong = "" if found == part.sha256 else "does not hold what was written to it"
    return Looked(path=key, size=part.size, wrong=wrong, to_do=f"{_RESTORE}; {name} names it")
