"""Files of the drop zone, and events of the lake, that need a person."""

from mlpipe_assets.alerting.messages import Problem
from mlpipe_assets.stages.raw.healing import DamagedEvents
from mlpipe_assets.stages.raw.plan import Incoming


def problems_of_files(zone: Incoming) -> list[Problem]:
    """What to tell of files: no reader takes them, a run could not read them, their events are lost; one for each file."""
    lost = [d for d in zone.damaged if d.source_file is None]
    return [_problem_of_lost(d) for d in lost] + [
        Problem(
            key=line.partition(": ")[0],
            what="lies in the drop zone and is not read" if line in zone.unseen else "cannot be read",
            where=line.partition(": ")[0],
            how_many="1 file or folder",
            example=line.partition(": ")[2],
            to_do="deliver it in a format that is read, declare its source, or take it away; see docs/files.md"
            if line in zone.unseen
            else "correct it and deliver it again under the same name, or take it away; see docs/files.md",
        )
        for line in zone.problems
        if line not in map(str, lost)
    ]


def _problem_of_lost(damaged: DamagedEvents) -> Problem:
    count = len(damaged.files)
    return Problem(
        key=damaged.where,
        what="has damaged events in the lake",
        where=damaged.where,
        how_many=f"{count:,} {'file' if count == 1 else 'files'}, e.g. {damaged.files[0]}",
        example=damaged.what,
        to_do=damaged.to_do,
    )
