"""What a table holds, as one small document: the files of each day with their digests and facts, and the days refused.

The document is replaced on the strength of what its writer had read, so a range of days becomes visible at once. It ends
with a seal, a digest of all before it: a flipped bit in a count is no other count.
"""

import hashlib
import json
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any, NamedTuple

from mlpipe_assets.store.records import expect_format

_FORMAT = 1
_SEAL = b',"seal":"'
_BEGINNING = re.compile(rb'\{"format":(\d{1,9}),')
_CONTENT = re.compile(r"date=(\d{4}-\d{2}-\d{2})/(.+)\.([0-9a-f]{64})\.([^./]+)")
KEPT = 3600.0  # seconds that a content which was replaced is kept for those who read by an older manifest


class Part(NamedTuple):
    """A file of one day as it was written.

    Attributes:
        mtime_ns: Its time of modification: with the same size and time its content is not read again.
        facts: How it was made, as its footer says.
    """

    sha256: str
    size: int
    mtime_ns: int
    facts: Mapping[str, Any]


@dataclass(kw_only=True)
class Change:
    """What becomes visible together: all files of some days, days taken away, refusals made and taken back."""

    files: dict[date, dict[str, Part]] = field(default_factory=dict)
    gone: set[date] = field(default_factory=set)
    refused: dict[date, Mapping[str, Any] | None] = field(default_factory=dict)

    @property
    def days(self) -> set[date]:
        """Days whose files change."""
        return {*self.files, *self.gone}

    def changes(self, manifest: "Manifest") -> bool:
        """Whether a manifest would be another one after it."""
        gone = self.gone & set(manifest.days)
        return bool(self.files or gone or any(record != manifest.refused.get(d) for d, record in self.refused.items()))


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """What a table holds.

    Attributes:
        gen: The number of the turn it was written in: a writer of an earlier turn has lost.
        days: The files of each day, by name.
        refused: Days whose newest attempt was refused, with the reason and the inputs it rests on.
        old: Contents that were replaced lately, and when, in seconds since 1970: readers may still have them open.
    """

    gen: int = 0
    days: Mapping[date, Mapping[str, Part]] = field(default_factory=dict)
    refused: Mapping[date, Mapping[str, Any]] = field(default_factory=dict)
    old: Mapping[str, float] = field(default_factory=dict)

    def contents(self) -> set[str]:
        """All contents that it names, as keys below the folder of the contents of its table."""
        return {content for day, files in self.days.items() for content in _contents(day, files)}

    def change_to(self, other: "Manifest") -> Change:
        """What makes it say what another one says."""
        days = {day: dict(files) for day, files in other.days.items() if self.days.get(day) != files}
        refused = {
            day: other.refused.get(day)
            for day in {*self.refused, *other.refused}
            if self.refused.get(day) != other.refused.get(day)
        }
        return Change(files=days, gone={*self.days} - {*other.days}, refused=refused)

    def after(self, change: Change, *, gen: int, now: float) -> tuple["Manifest", set[str]]:
        """The manifest with a change, and the contents that nobody needs any more."""
        days = {day: files for day, files in self.days.items() if day not in change.gone}
        for day, files in change.files.items():
            days[day] = dict(files)
        refused = {day: record for day, record in self.refused.items() if day not in change.refused}
        refused |= {day: record for day, record in change.refused.items() if record is not None}
        named = {content for day in change.days for content in _contents(day, days.get(day, {}))}
        replaced = {content for day in change.days for content in _contents(day, self.days.get(day, {}))} - named
        # A clock that was set back must not make young contents old, nor keep them until it has caught up.
        old = {content: min(since, now) for content, since in self.old.items() if content not in named}
        expired = {content for content, since in old.items() if now - since > KEPT}
        old = {content: since for content, since in old.items() if content not in expired}
        old |= dict.fromkeys(replaced, now)
        return Manifest(gen=gen, days=days, refused=refused, old=old), expired


def content_key(day: date, file: str, sha256: str) -> str:
    """Where a file's content is, below the folder of the contents of its table."""
    name, _, kind = file.rpartition(".")
    return f"date={day}/{name}.{sha256}.{kind}"


def read_content_key(key: str) -> tuple[date, str, str] | None:
    """The day, the file and the digest that a key of a content tells; None for one that is spelled otherwise."""
    if found := _CONTENT.fullmatch(key):
        return date.fromisoformat(found[1]), f"{found[2]}.{found[4]}", found[3]
    return None


def spell(manifest: Manifest) -> bytes:
    """A manifest as it is kept, with a number of its own, so that no two writes are alike."""
    document = {
        "format": _FORMAT,
        "gen": manifest.gen,
        "nonce": secrets.token_hex(8),
        "days": {
            f"{day}": {file: list(part) for file, part in files.items()} for day, files in sorted(manifest.days.items())
        },
        "refused": {f"{day}": record for day, record in sorted(manifest.refused.items())},
        "old": manifest.old,
    }
    text = json.dumps(document, separators=(",", ":"), default=str).encode()[:-1]
    return text + _SEAL + hashlib.sha256(text).hexdigest().encode() + b'"}\n'


def parse(content: bytes) -> Manifest:
    """The manifest that is kept as `content`.

    Raises: ValueError, LookupError, TypeError when it is damaged, or of a format that this version does not know.
    """
    if begun := _BEGINNING.match(content):  # before the seal, which a newer version may write in another way
        expect_format(int(begun[1]), _FORMAT)
    text, found, seal = content.rpartition(_SEAL)
    if not found or seal.rstrip() != hashlib.sha256(text).hexdigest().encode() + b'"}':
        raise ValueError("it is cut short, or was changed by hand")
    document = json.loads(text + b"}")
    expect_format(document["format"], _FORMAT)
    return Manifest(
        gen=document["gen"],
        days={
            date.fromisoformat(day): {file: Part(*part) for file, part in files.items()}
            for day, files in document["days"].items()
        },
        refused={date.fromisoformat(day): record for day, record in document["refused"].items()},
        old=document["old"],
    )


def _contents(day: date, files: Mapping[str, Part]) -> set[str]:
    return {content_key(day, file, part.sha256) for file, part in files.items()}
