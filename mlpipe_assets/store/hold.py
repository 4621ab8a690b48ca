"""Which tables are held at a tag, so that nothing builds them, and what they held before: the way back.

The record is written before the first table is reset and says when the last one was, so that a checkout which was killed
is seen, goes on, or is taken back.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from mlpipe_assets.errors import LakeError
from mlpipe_assets.store import keys
from mlpipe_assets.store.branches import PROMOTED
from mlpipe_assets.store.objects import MissingError, Objects
from mlpipe_assets.store.records import UNREADABLE, spell_unreadable
from mlpipe_assets.store.tags import Pinned, parse_sealed, parse_tables, spell_sealed

_CURE = "Restore it from a copy. Without one, delete it: the tables stay as they are, and the next run brings them up to date."


@dataclass(frozen=True, kw_only=True)
class Hold:
    """Tables that are as a tag has them.

    Attributes:
        since: When, in UTC.
        tables: As `mlpipe status` calls them.
        whole: Whether all of them are; not while a checkout is under way, or after one was killed.
        left: What they held before, by the folder of their days.
    """

    tag: str
    since: str
    tables: tuple[str, ...]
    whole: bool = False
    left: Mapping[str, Pinned] = field(default_factory=dict)


def read_hold(objects: Objects) -> Hold | None:
    """What is held; None where nothing is.

    Raises: LakeError when the record cannot be read.
    """
    if objects.head(keys.CHECKOUT) is None:  # asked for every table, and there seldom is one
        return None
    try:
        document = parse_sealed(objects.get(keys.CHECKOUT).content)
        return Hold(
            tag=document["tag"],
            since=document["since"],
            tables=tuple(document["held"]),
            whole=document["whole"],
            left=parse_tables(document["tables"]),
        )
    except MissingError:
        return None
    except UNREADABLE as error:
        raise LakeError(spell_unreadable(objects.locate(keys.CHECKOUT), error, _CURE)) from error


def save_hold(objects: Objects, hold: Hold) -> None:
    """Put on record what is held, in place of what was."""
    document = {"tag": hold.tag, "since": hold.since, "held": list(hold.tables), "whole": hold.whole}
    objects.put(keys.CHECKOUT, spell_sealed(document, hold.left))


def end_hold(objects: Objects) -> None:
    """Hold nothing any more."""
    objects.delete(keys.CHECKOUT)


def tell_hold(objects: Objects) -> list[str]:
    """A line that says what is held; none where nothing is.

    Raises: LakeError when the record cannot be read.
    """
    hold = read_hold(objects)
    return [spell_hold(hold)] if hold else []


def spell_hold(hold: Hold) -> str:
    """What is held, and how it ends, in one line."""
    many = f"{len(hold.tables):,} tables are" if len(hold.tables) > 1 else f"{hold.tables[0]} is"
    if hold.whole:
        return f"{many} held at tag {hold.tag} since {hold.since[:16]}Z and not built. To go back: mlpipe checkout now"
    if hold.tag.startswith(PROMOTED):
        name = hold.tag.removeprefix(PROMOTED)
        return (
            f"The promotion of branch {name} did not come to its end: {many} held, some as they were before. Next: mlpipe promote "
            f"{name}; or take it back: mlpipe checkout now"
        )
    return (
        f"The checkout of tag {hold.tag} did not come to its end: {many} held, some as they were before. Next: mlpipe checkout "
        f"{hold.tag}; or take it back: mlpipe checkout now"
    )
