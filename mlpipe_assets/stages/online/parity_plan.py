"""Which days of answers are to be asked again: those whose log changed, and refused ones when what they are held to did."""

from collections.abc import Sequence
from datetime import date

from mlpipe_assets.catalog.declarations import Source
from mlpipe_assets.catalog.versions import source_version
from mlpipe_assets.contracts.online_parity import OnlineParity
from mlpipe_assets.rules import contract_digest, digest
from mlpipe_assets.serving.parity_gate import ONLINE_PARITY, PARITY_TABLE
from mlpipe_assets.stages.work import Wanted, Work, or_unreadable
from mlpipe_assets.store.acceptances import acceptances
from mlpipe_assets.store.lake import Lake


@or_unreadable(lambda _: PARITY_TABLE)
def parity_work(lake: Lake, log: Source, wanted: Wanted) -> Work:
    """Days of the log that were not judged as it is now, and refused days that were accepted, or whose features changed."""
    answered, judged = lake.state("interim", log.name), lake.state("validation", ONLINE_PARITY)
    accepted = acceptances(lake, PARITY_TABLE) if judged.refused else {}
    days: list[date] = []
    blocked: list[tuple[date, str]] = []
    for day in sorted(filter(wanted, {*answered.days(), *judged.refused})):
        if refusal := judged.refused.get(day):
            held = accepted.get(day)
            holds = held is not None and held.holds_for(refusal["accepts"])
            if holds or refusal["inputs"] != refusal_inputs(lake, log, day, refusal["views"]):
                days.append(day)
            else:
                blocked.append((day, str(refusal["problem"])))
        elif (judged.facts(day) or {}).get("inputs") != inputs_of(lake, log, day):
            days.append(day)
    return Work(table=PARITY_TABLE, days=tuple(days), blocked=tuple(blocked))


def parity_version(log: Source) -> str:
    """Code version of verdicts."""
    return digest([source_version(log), contract_digest(OnlineParity)])[:16]


def inputs_of(lake: Lake, log: Source, day: date) -> str:
    """Digest of what was answered on a day. Features that are built again later are no reason to ask again."""
    state = lake.state("interim", log.name)
    return digest([parity_version(log), state.digest(day) if state.has(day) else None])


def refusal_inputs(lake: Lake, log: Source, day: date, views: Sequence[str]) -> str:
    """The same with the features that a refused day was held to: when these change, it is judged again."""
    states = {name: lake.state("features", name) for name in views}
    held = [[name, [[f"{d}", state.digest(d)] for d in state.days() if d <= day]] for name, state in states.items()]
    return digest([inputs_of(lake, log, day), held])
