"""Records of deliveries that are taken for good, many in one document, so that a look opens a few.

A delivery of a range is over once it is on record. Every thousand of them go into a stretch; then their own records go. A record
of its own is newer than what a stretch says, and a stretch is newer than those with lower numbers: so whatever a killed
process leaves of both is the same ledger.
"""

import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from mlpipe_assets.errors import LakeError
from mlpipe_assets.intake.delivery import Delivery, dump, parse
from mlpipe_assets.store import keys
from mlpipe_assets.store.lake import Lake
from mlpipe_assets.store.records import Record, expect_format, list_documents, list_tags

_FORMAT = 1
_ENDING = ".stretch"
SINGLES = 1_000  # records of their own that a look may open
_LONGEST = 20_000  # deliveries of a stretch: it is written again as long as it is shorter


@dataclass(frozen=True, kw_only=True)
class Stretches:
    """The stretches of a source."""

    lake: Lake
    source: str

    def read(self) -> dict[str, Delivery]:
        """What they hold, by the names of deliveries.

        Raises: LakeError when one cannot be read.
        """
        found: dict[str, Delivery] = {}
        for _, own in self._each():
            found |= own
        return found

    def compact(self, singles: Mapping[str, Delivery]) -> None:
        """Put deliveries on record in a stretch, and take away their own records.

        Args:
            singles: Deliveries that nothing changes any more, which have a record of their own.
        """
        each = [*self._each()]
        last, own = each[-1] if each else ("", {})
        first = own if len(own) < _LONGEST else {}
        number = 1 + int(last or "0")
        document = {"format": _FORMAT, "deliveries": [dump(one) for one in (first | {**singles}).values()]}
        key = keys.stretch(self.source, f"{number:06}")
        self.lake.objects.put(key, json.dumps(document, sort_keys=True).encode())
        self.lake.objects.delete_many(keys.delivery(self.source, name) for name in singles)
        if first:
            self.lake.objects.delete(keys.stretch(self.source, last))

    def _each(self) -> Iterator[tuple[str, dict[str, Delivery]]]:
        for name, tag in sorted(list_tags(self.lake.objects, keys.deliveries(self.source), _ENDING).items()):
            key = keys.stretch(self.source, name)
            known = self.lake.parsed.get(key)
            if known is None or known[0] != tag:
                self.lake.parsed[key] = known = (tag, self._record(name).read() or {})
            yield name, known[1]

    def _record(self, name: str) -> Record[dict[str, Delivery]]:
        cure = "Restore it from a copy: without it the rows of these deliveries no longer count."
        key = keys.stretch(self.source, name)
        return Record(objects=self.lake.objects, key=key, parse=_parse, cure=cure)


def list_stems(lake: Lake, source: str) -> Collection[str]:
    """What the event files of the deliveries on record are called; of a record that cannot be read as if it had been placed once."""
    found: dict[str, str] = {}
    for name in list_documents(lake.objects, keys.deliveries(source), _ENDING):
        found |= _placements(lake, keys.stretch(source, name), lambda document: document["deliveries"])
    for name in list_documents(lake.objects, keys.deliveries(source)):
        key = keys.delivery(source, name)
        found |= {name: ""} | _placements(lake, key, lambda document: [document])
    return {f"{name}-{placement}" if placement else name for name, placement in found.items()}


def _placements(lake: Lake, key: str, rows: Any) -> dict[str, str]:  # noqa: ANN401 (a function of JSON)
    def parse_placements(document: Any) -> dict[str, str]:  # noqa: ANN401 (JSON)
        return {one["delivery"]: one.get("placement") or "" for one in rows(document)}

    try:
        return Record(objects=lake.objects, key=key, parse=parse_placements).read() or {}
    except LakeError:  # `mlpipe status` says which record it is, and what to do
        return {}


def _parse(document: Any) -> dict[str, Delivery]:  # noqa: ANN401 (JSON)
    expect_format(document["format"], _FORMAT)
    return {one["delivery"]: parse(one) for one in document["deliveries"]}
