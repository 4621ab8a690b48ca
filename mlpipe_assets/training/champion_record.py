"""Every decision about the versions of a model, in one record: who leads follows from it and is kept nowhere else.

    meta/champions/<model>.json   {"decisions": [{"action", "version", "as_of", "reason", "at"}, …]}, the oldest first

The record is replaced whole: whoever reads it sees the champion of before a decision or the one after it. Golden rows carry
the decisions up to their champion as a snapshot, which is read only where the record was lost, and people are told so.
"""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from mlpipe_assets.errors import LakeError
from mlpipe_assets.store import keys
from mlpipe_assets.store.lake import Lake
from mlpipe_assets.store.objects import ABSENT, ConflictError
from mlpipe_assets.store.records import Record, spell_document
from mlpipe_assets.training import older_champions
from mlpipe_assets.training.model_files import GOLDEN, Golden, ModelError, read_golden_file, registered_rows

PROMOTED, KEPT, ROLLED_BACK = "promoted", "kept", "rolled_back"


@dataclass(frozen=True, kw_only=True)
class Decided:
    """One decision about a version.

    Attributes:
        action: `promoted`, `kept` (it was judged and did not become champion) or `rolled_back`.
        version: The version promoted or kept; of a rollback the one that leads again.
        as_of: Day of its training set.
        reason: Why, in one line.
        at: When; None where an older lake did not say.
    """

    action: str
    version: str
    as_of: date
    reason: str
    at: datetime | None = None


def read_decisions(lake: Lake, model: str) -> list[Decided]:
    """Every decision about the versions of a model, the oldest first.

    Raises: LakeError when the record is damaged, and nothing else in the lake says who is champion.
    """
    stored, lost = _stored(lake, model)
    return _stand_in(lake, model, lost) if stored is None else stored


def write_decisions(lake: Lake, model: str, decisions: Sequence[Decided]) -> None:
    """Replace the record, whole. The caller holds `lake.writing("models", model)`."""
    _record(lake, model).write({"decisions": spell_decisions(decisions)})


def spell_decisions(decisions: Sequence[Decided]) -> list[dict[str, Any]]:
    """Decisions as the record has them."""
    return [
        {**vars(one), "as_of": f"{one.as_of}", "at": one.at.isoformat(timespec="seconds") if one.at else None}
        for one in decisions
    ]


def line_of_champions(decisions: Sequence[Decided]) -> list[str]:
    """Champions in the order they would be returned to, the present one last."""
    line: list[str] = []
    for one in decisions:
        if one.action == ROLLED_BACK:
            line = line[:-1]
        if one.action != KEPT:
            line = [*(version for version in line if version != one.version), one.version]
    return line


def statuses(decisions: Sequence[Decided]) -> dict[str, tuple[str, str]]:
    """What became of each version that was judged, and why: `champion`, `challenger_kept`, `retired` or `rolled_back`."""
    found: dict[str, tuple[str, str]] = {}
    leading: str | None = None
    for one in decisions:
        if one.action == KEPT:
            found[one.version] = ("challenger_kept", one.reason)
            continue
        if leading and one.action == ROLLED_BACK:
            found[leading] = ("rolled_back", one.reason)
        elif leading:
            found[leading] = ("retired", f"replaced by {one.version}")
        found[one.version] = ("champion", one.reason)
        leading = one.version
    return found


def record_path(lake: Lake, model: str) -> str:
    """The file that says who is champion, as messages name it."""
    return lake.objects.locate(keys.champion(model))


def lost_record(lake: Lake, model: str) -> str | None:
    """What to tell where the record was lost and snapshots stand in for it; None where nothing was.

    Raises: LakeError as `read_decisions`.
    """
    stored, lost = _stored(lake, model)
    line = line_of_champions(_stand_in(lake, model, lost)) if stored is None else []
    if not line:
        return None
    return (
        f"models/{model}: {lost}. By the snapshot that is left {line[-1]} is champion, and is taken for it; restore "
        "the file, or let the next decision write it."
    )


def leave_older_form(lake: Lake, models: Sequence[str]) -> None:
    """Write what an older lake says of models as records of today, unless another process was faster."""
    for model in models:
        head = lake.objects.head(keys.champion(model))
        if found := read_decisions(lake, model):
            content = spell_document({"decisions": spell_decisions(found)})
            try:
                lake.objects.put(keys.champion(model), content, head.tag if head else ABSENT)
            except ConflictError:  # the run of that model wrote it with a decision of its own
                continue


def _stored(lake: Lake, model: str) -> tuple[list[Decided] | None, str]:
    """What the record says, or why it says nothing."""
    try:
        found = _record(lake, model).read()
    except LakeError as error:
        return None, f"{error}".removesuffix(".")
    return found, f"{record_path(lake, model)} is gone"


def _stand_in(lake: Lake, model: str, lost: str) -> list[Decided]:
    """The decisions by the snapshots there are, for a record that was lost."""
    golden = _golden_rows(lake, model)
    told = max((one.decisions for one in golden), key=len, default=())  # the longest was written last
    told = told or older_champions.decisions_in_registry(lake, model)
    if golden and not any(one["action"] == PROMOTED for one in told):
        told = [*told, *_named(lake, model, golden[0].champion)]
    found = [_decided(one) for one in told]
    if not line_of_champions(found) and lake.objects.head(keys.champion(model)):
        raise LakeError(f"{lost}. No golden rows know a champion of {model} either: restore the file, or delete it.")
    return found


def _golden_rows(lake: Lake, model: str) -> list[Golden]:
    """The golden rows of every champion that can be read, the published ones first."""
    own = [head.key for head in lake.objects.list(keys.version(model, "")) if head.key.endswith(f"/{GOLDEN}")]
    found: list[Golden] = []
    for key in (keys.golden(model), *own):
        with suppress(ModelError):  # damaged itself: another may not be
            golden = read_golden_file(lake, key)
            found += [golden] if golden else []
    return found


def _named(lake: Lake, model: str, version: str) -> list[dict[str, Any]]:
    """The champion by golden rows of an older lake, which name it and no more."""
    days = [row["as_of"] for row in registered_rows(lake, model) if row["version"] == version]
    reason = "named by its golden rows"
    return [{"action": PROMOTED, "version": version, "as_of": f"{day}", "reason": reason} for day in days]


def _record(lake: Lake, model: str) -> Record[list[Decided]]:
    def parse(document: dict[str, Any]) -> list[Decided]:
        told = older_champions.decisions_of_older(lake, model, document) or document["decisions"]
        return [_decided(one) for one in told]

    return Record(objects=lake.objects, key=keys.champion(model), parse=parse)


def _decided(one: Mapping[str, Any]) -> Decided:
    at = one.get("at")
    return Decided(
        action=one["action"],
        version=one["version"],
        as_of=date.fromisoformat(one["as_of"]),
        reason=one["reason"],
        at=datetime.fromisoformat(at) if at else None,
    )
