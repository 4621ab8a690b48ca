"""Tags: what tables held at one moment, under a name, as a text of one line a day that git can carry.

A tag is a copy of manifests. The contents that it names are where they were, under their digests, and stay for as long as
a tag names them; so a tag of any number of bytes is as fast as its text is written.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from mlpipe_assets.errors import LakeError, SettingsError, shorten
from mlpipe_assets.settings import STATE_NAME
from mlpipe_assets.store import keys
from mlpipe_assets.store.manifest import Manifest, Part, content_key
from mlpipe_assets.store.objects import ABSENT, ConflictError, MissingError, Objects
from mlpipe_assets.store.records import UNREADABLE, expect_format, list_documents, spell_unreadable

NOW = "now"  # the newest state; no tag is called so
_FORMAT = 1
_CURE = "Restore it from a copy, such as git has. Until then nothing that a tag may name is removed."


@dataclass(frozen=True, kw_only=True)
class Pinned:
    """One table as it was: the files of each day with their digests, and the days refused.

    The facts of a file are in its footer and not here, so that a tag stays small beside what it names.
    """

    days: Mapping[date, Mapping[str, Part]] = field(default_factory=dict)
    refused: Mapping[date, Mapping[str, Any]] = field(default_factory=dict)

    def contents(self) -> set[str]:
        """What it names, as keys below the folder of the contents of its table."""
        return {content_key(day, file, part.sha256) for day, files in self.days.items() for file, part in files.items()}


@dataclass(frozen=True, kw_only=True)
class Tag:
    """What tables held when a name was given to it.

    Attributes:
        made_at: When, in UTC.
        tables: By the folder of their days, such as `interim/orders`.
        about: What else was so at that moment: models, code versions, the commit of git.
    """

    name: str
    made_at: str
    message: str = ""
    tables: Mapping[str, Pinned] = field(default_factory=dict)
    about: Mapping[str, Any] = field(default_factory=dict)


def pin(manifest: Manifest) -> Pinned:
    """What a manifest says, without what belongs to its own writing."""
    days = {
        day: {file: Part(part.sha256, part.size, part.mtime_ns, {}) for file, part in files.items()}
        for day, files in manifest.days.items()
    }
    return Pinned(days=days, refused=manifest.refused)


def expect_name(name: str, kind: str = "tag", example: str = "v1.0-training-set") -> str:
    """The same name, when a tag, or a branch, can have it.

    Raises: SettingsError.
    """
    if name == NOW or not STATE_NAME.fullmatch(name) or name.endswith((".tmp", ".lock")):
        raise SettingsError(
            f"{name[:120]!r} cannot be the name of a {kind}: letters, digits and . _ + - are allowed, it begins with a letter or digit, "
            f"has up to 100 of them, and {NOW!r} is the newest state. Such as: {example}"
        )
    return name


def list_tags(objects: Objects) -> list[str]:
    """The names of all tags, in order."""
    return list_documents(objects, keys.TAGS)


def read_tag(objects: Objects, name: str) -> Tag:
    """A tag.

    Raises: SettingsError where there is none of that name; LakeError when it cannot be read.
    """
    try:
        found = objects.get(keys.tag(expect_name(name)))
    except MissingError as error:
        there = list_tags(objects)
        which = f"there are {shorten(there, 10)}" if there else "there is none yet. To make one: mlpipe tag NAME"
        raise SettingsError(f"There is no tag {name!r}; {which}.") from error
    return parse_tag(objects, keys.tag(name), found.content)


def parse_tag(objects: Objects, key: str, content: bytes) -> Tag:
    """The tag that is kept as `content`.

    Raises: LakeError.
    """
    try:
        document = parse_sealed(content)
        return Tag(
            name=document["name"],
            made_at=document["made_at"],
            message=document["message"],
            tables=parse_tables(document["tables"]),
            about=document["about"],
        )
    except UNREADABLE as error:
        raise LakeError(spell_unreadable(objects.locate(key), error, _CURE)) from error


def save_tag(objects: Objects, tag: Tag) -> None:
    """Put a tag on the disk, whole.

    Raises: SettingsError when there is one of that name: what a name stands for does not change.
    """
    document = {"name": tag.name, "made_at": tag.made_at, "message": tag.message, "about": dict(tag.about)}
    try:
        objects.put(keys.tag(expect_name(tag.name)), spell_sealed(document, tag.tables), ABSENT)
    except ConflictError as error:
        raise SettingsError(
            f"There is a tag {tag.name!r} already, and what a name stands for does not change. Choose another one; or take that one "
            f"away first: mlpipe tag {tag.name} --delete"
        ) from error


def delete_tag(objects: Objects, name: str) -> None:
    """Take a tag away; what only it named goes with the next `mlpipe gc`.

    Raises: SettingsError where there is none of that name.
    """
    if objects.head(keys.tag(expect_name(name))) is None:
        read_tag(objects, name)
    objects.delete(keys.tag(name))


def spell_sealed(document: Mapping[str, object], tables: Mapping[str, Pinned]) -> bytes:
    """A document with tables in it, one line a day, and a digest of all of it."""
    spelled = {name: _spell_table(pinned) for name, pinned in sorted(tables.items())}
    whole = {"format": _FORMAT, **document}
    seal = _seal({**whole, "tables": spelled})
    head = json.dumps({**whole, "seal": seal}, indent=1, sort_keys=True, default=str).removesuffix("\n}")
    lines = {
        name: _block({part: _block(_each(days), 4) for part, days in table.items()}, 3)
        for name, table in spelled.items()
    }
    return f'{head},\n "tables": {_block(lines, 2)}\n}}\n'.encode()


def parse_sealed(content: bytes) -> dict[str, Any]:
    """The document that is kept as `content`.

    Raises: ValueError, LookupError, TypeError when it is damaged, or of a format that this version does not know.
    """
    document: dict[str, Any] = json.loads(content)
    expect_format(document["format"], _FORMAT)
    seal = document.pop("seal")
    if seal != _seal(document):
        raise ValueError("it was changed since it was written")
    return document


def parse_tables(tables: Mapping[str, Any]) -> dict[str, Pinned]:
    """Tables as `spell_sealed` has them."""
    return {
        name: Pinned(
            days={date.fromisoformat(day): _parse_files(files) for day, files in table["days"].items()},
            refused={date.fromisoformat(day): record for day, record in table["refused"].items()},
        )
        for name, table in tables.items()
    }


def _parse_files(spelled: Any) -> dict[str, Part]:  # noqa: ANN401 (whatever the document holds)
    files = {keys.PART: spelled} if isinstance(spelled, list) else dict(spelled)
    return {file: Part(part[0], part[1], part[2], {}) for file, part in files.items()}


def _spell_files(files: Mapping[str, Part]) -> object:
    """Digest, size and time of each file; without its name where the rows are the only one, as nearly always."""
    spelled = {file: list(part[:3]) for file, part in files.items()}
    return spelled[keys.PART] if [*spelled] == [keys.PART] else spelled


def _spell_table(pinned: Pinned) -> dict[str, Any]:
    return {
        "days": {f"{day}": _spell_files(files) for day, files in sorted(pinned.days.items())},
        "refused": {f"{day}": dict(record) for day, record in sorted(pinned.refused.items())},
    }


def _each(days: Mapping[str, object]) -> dict[str, str]:
    """Each day's value as a text of one line."""
    return {day: json.dumps(value, sort_keys=True, separators=(",", ":"), default=str) for day, value in days.items()}


def _block(values: Mapping[str, str], indent: int) -> str:
    """An object of JSON with a line for each of its values, which are JSON already."""
    inside = ",".join(f"\n{' ' * indent}{json.dumps(name)}: {value}" for name, value in values.items())
    return f"{{{inside}\n{' ' * (indent - 1)}}}"


def _seal(document: Mapping[str, Any]) -> str:
    """Digest of a document as any order of its names has it."""
    return hashlib.sha256(json.dumps(document, sort_keys=True, separators=(",", ":"), default=str).encode()).hexdigest()
