"""Contents that must stay: those that a tag names, and those that a checkout left and goes back to."""

from collections.abc import Callable
from functools import lru_cache

from mlpipe_assets.errors import LakeError
from mlpipe_assets.store import keys
from mlpipe_assets.store.hold import read_hold
from mlpipe_assets.store.local import LocalObjects
from mlpipe_assets.store.manifest import parse, read_content_key
from mlpipe_assets.store.objects import MissingError
from mlpipe_assets.store.records import UNREADABLE, list_tags, spell_unreadable
from mlpipe_assets.store.swaps import Swap, swapped_tables
from mlpipe_assets.store.tags import parse_tag

_CURE = "Restore it from a copy. Until then nothing that it may name is taken away."


def pinned_contents(objects: LocalObjects, table: str) -> set[str]:
    """The contents of a table that must stay, as keys below the folder of its contents.

    Whoever removes contents asks this in the turn in which it removes: a tag is made in the turns of all of its tables.

    Raises: LakeError when a tag cannot be read: nobody knows then what it names.
    """
    found: set[str] = set()
    for name, version in list_tags(objects, keys.TAGS).items():
        found |= _of_tag(objects, name, version).get(table, frozenset())
    hold = read_hold(objects)
    return found | (hold.left[table].contents() if hold and table in hold.left else set())


def named_digests(objects: LocalObjects) -> set[str]:
    """The digests of all contents that a manifest, a tag, or what a checkout goes back to names.

    Raises: LakeError when one of these cannot be read: nobody knows then what it names.
    """
    tags = [_of_tag(objects, name, version) for name, version in list_tags(objects, keys.TAGS).items()]
    found = {content for tables in tags for contents in tables.values() for content in contents}
    hold = read_hold(objects)
    found |= {content for pinned in hold.left.values() for content in pinned.contents()} if hold else set()
    for name in list_tags(objects, keys.TABLES):
        key = f"{keys.TABLES}/{name}.json"
        try:
            manifest = parse(objects.get(key).content)
        except UNREADABLE as error:
            raise LakeError(spell_unreadable(objects.locate(key), error, _CURE)) from error
        found |= manifest.contents()
    for name in swapped_tables(objects):
        if swapped := Swap(objects=objects, table=name).read():
            found |= swapped[1].contents()
    return {place[2] for place in map(read_content_key, found) if place}


def removable(objects: LocalObjects, table: str) -> Callable[[str], bool]:
    """Whether a content may go, as far as tags say; while a tag cannot be read none may."""
    try:
        pinned = pinned_contents(objects, table)
    except LakeError:
        return lambda _: False
    return lambda content: content not in pinned


@lru_cache(maxsize=256)
def _of_tag(objects: LocalObjects, name: str, version: str) -> dict[str, frozenset[str]]:  # noqa: ARG001 (it is part of what is cached)
    """The contents that a version of a tag names, by table."""
    key = keys.tag(name)
    try:
        tag = parse_tag(objects, key, objects.get(key).content)
    except MissingError:  # taken away since it was listed
        return {}
    return {table: frozenset(pinned.contents()) for table, pinned in tag.tables.items()}
