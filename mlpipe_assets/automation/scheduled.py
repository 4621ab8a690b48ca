"""The runs that schedules asked for, as the lake keeps them: written before Dagster is asked."""

from datetime import date, datetime, timedelta

from mlpipe_assets.automation.clock import has_passed
from mlpipe_assets.automation.memory import recall, remember
from mlpipe_assets.store.lake import Lake

_DOCUMENT = "scheduled"
_START = timedelta(minutes=1)  # how long Dagster takes to make a run of a request, at most


def note_scheduled(lake: Lake, job: str, tick: date, day: date, now: datetime) -> int:
    """Write down that a schedule asks for a day, and return the number of the request.

    The same tick asked again, by a scheduler that was killed in between, has the same number; any later one has the next,
    also for the same day: what did not come of the first request is no reason to make none.
    """
    with remember(lake, _DOCUMENT) as memory:
        last = memory.get(job, {})
        wanted = {"tick": f"{tick}", "day": f"{day}"}
        if {name: last.get(name) for name in wanted} != wanted:
            number = last.get("number", 0) + 1
            memory[job] = {**wanted, "number": number, "at": now.isoformat(timespec="seconds")}
        found: int = memory[job]["number"]
    return found


def jobs_about_to_start(lake: Lake, now: datetime) -> list[str]:
    """Jobs that a schedule asked for a moment ago: Dagster may not have made their runs yet."""
    asked = recall(lake, _DOCUMENT)
    return [job for job, last in asked.items() if not has_passed(_START, datetime.fromisoformat(last["at"]), now)]
