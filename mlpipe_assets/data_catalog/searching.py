"""Tables found by words: in their names, columns, tags, owners and descriptions, typing errors forgiven, the best first."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

from mlpipe_assets.data_catalog.entry import Entry
from mlpipe_assets.errors import SettingsError
from mlpipe_assets.visible import visible

_WORD = re.compile(r"[^\W_]+")
_WEIGHTS = {"name": 8.0, "column": 5.0, "tag": 4.0, "owner": 3.0, "description": 2.0, "column's description": 1.0}
_ALIKE = 0.78  # of two words: one letter of five may be another, or two that stand next to each other
_SHORTEST = 4  # letters of a word whose spelling may be off
_PREFIX = 0.9  # of what a word counts that only begins so


@dataclass(frozen=True, kw_only=True)
class Hit:
    """A table that was found.

    Attributes:
        score: How well it fits; the highest is the best.
        where: What each word was found in, such as `column amount`.
    """

    entry: Entry
    score: float
    where: tuple[str, ...]


def search(entries: Sequence[Entry], words: Sequence[str]) -> list[Hit]:
    """Tables in which every word is found, the best first.

    Raises: SettingsError where there is no word to look for.
    """
    wanted = [word for text in words for word in _WORD.findall(text.lower())]
    if not wanted:
        raise SettingsError("There is no word to look for. Name one, such as: mlpipe catalog search revenue")
    hits = [hit for entry in entries if (hit := _look(entry, wanted))]
    return sorted(hits, key=lambda hit: -hit.score)


def find_entry(entries: Sequence[Entry], name: str) -> Entry:
    """The table of that name, as assets or as SQL call it.

    Raises: SettingsError that names those spelled alike.
    """
    for entry in entries:
        if name in (entry.name, entry.sql):
            return entry
    alike = sorted(entries, key=lambda one: -max(_ratio(name, one.name), _ratio(name, one.sql or one.name)))
    near = ", ".join(one.name for one in alike[:3])
    raise SettingsError(
        f"No table is called {visible(name)!r}. Spelled alike: {near}. To look for one: mlpipe catalog search WORD"
    )


def _look(entry: Entry, wanted: Sequence[str]) -> Hit | None:
    score, where = 0.0, []
    texts = [(kind, shown, [*map(str, _WORD.findall(text.lower()))]) for kind, shown, text in _texts(entry)]
    for word in wanted:
        found = [(_fits(word, inside) * _WEIGHTS[kind], kind, shown) for kind, shown, inside in texts]
        best = max(found, key=lambda one: one[0], default=(0.0, "", ""))
        if not best[0]:
            return None
        score += best[0]
        where.append(f"{best[1]} {best[2]}".strip())
    return Hit(entry=entry, score=score, where=tuple(dict.fromkeys(where)))


def _texts(entry: Entry) -> Iterator[tuple[str, str, str]]:
    yield "name", "", f"{entry.name} {entry.sql}"
    yield "description", "", f"{entry.description} {entry.grain}"
    for tag in entry.tags:
        yield "tag", tag, tag
    for owner in entry.owners:
        yield "owner", owner, owner
    for column in entry.columns:
        yield "column", column.name, column.name
        yield "column's description", column.name, f"{column.description} {column.unit}"


def _fits(word: str, inside: Sequence[str]) -> float:
    """How well a word is found among others, from 0 to 1."""
    if word in inside:
        return 1.0
    if any(one.startswith(word) for one in inside):
        return _PREFIX
    if len(word) < _SHORTEST or any(map(str.isdigit, word)):  # a number is never a typing error of another
        return 0.0
    best = max((_ratio(word, one) for one in inside if abs(len(one) - len(word)) <= 2), default=0.0)  # noqa: PLR2004
    return best * _PREFIX if best >= _ALIKE else 0.0


def _ratio(one: str, other: str) -> float:
    return SequenceMatcher(None, one, other, autojunk=False).ratio()
