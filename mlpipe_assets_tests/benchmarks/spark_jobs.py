"""What jobs of Spark did, from the log of events that an application leaves: seconds of tasks, bytes read, shuffled and spilled."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from heapq import heapify, heapreplace
from pathlib import Path
from typing import Any


@dataclass(kw_only=True)
class Job:
    """One job.

    Attributes:
        begun: Seconds since 1970.
        ended: As `begun`.
        tasks: Seconds of each task that ended well, in the order they were begun.
        lost: Tasks that did not.
        read: Bytes that Spark read of files; what Python workers read is not among them.
        shuffled: Bytes that were written for other tasks.
        spilled: Bytes that did not fit into memory, on the disk.
    """

    begun: float
    ended: float = 0.0
    tasks: list[float] = field(default_factory=list)
    lost: int = 0
    read: int = 0
    shuffled: int = 0
    spilled: int = 0


@dataclass(frozen=True, kw_only=True)
class Share:
    """What Spark had of a stage: the same of all of its jobs.

    Attributes:
        jobs: How many.
        seconds: While at least one of them ran.
        tasks: Seconds of each task, by job.
        read: See `Job`, as for the others.
        lost: As above.
        shuffled: As above.
        spilled: As above.
    """

    jobs: int
    seconds: float
    tasks: tuple[tuple[float, ...], ...]
    lost: int
    read: int
    shuffled: int
    spilled: int

    def on(self, executors: int) -> float:
        """Seconds of the same tasks on so many executors, one job after the other; begin and end of jobs cost what they cost here."""
        return sum(seconds_on(job, executors) for job in self.tasks)


def read_jobs(log: Path) -> list[Job]:
    """The jobs of an application, in the order they were begun."""
    jobs: dict[int, Job] = {}
    owners: dict[int, int] = {}  # of a stage, the first job that has it: later ones find it done
    for line in log.read_text(encoding="utf-8").splitlines():
        event = json.loads(line)
        kind = event["Event"]
        if kind == "SparkListenerJobStart":
            jobs[event["Job ID"]] = Job(begun=event["Submission Time"] / 1000)
            for stage in event["Stage IDs"]:
                owners.setdefault(stage, event["Job ID"])
        elif kind == "SparkListenerJobEnd":
            jobs[event["Job ID"]].ended = event["Completion Time"] / 1000
        elif kind == "SparkListenerTaskEnd":
            _add(jobs[owners[event["Stage ID"]]], event)
    return list(jobs.values())


def _add(job: Job, event: dict[str, Any]) -> None:
    if event["Task End Reason"]["Reason"] != "Success":
        job.lost += 1
        return
    info, numbers = event["Task Info"], event["Task Metrics"]
    job.tasks.append((info["Finish Time"] - info["Launch Time"]) / 1000)
    job.read += numbers["Input Metrics"]["Bytes Read"]
    job.shuffled += numbers["Shuffle Write Metrics"]["Shuffle Bytes Written"]
    job.spilled += numbers["Disk Bytes Spilled"]


def together(jobs: Sequence[Job]) -> Share:
    """All jobs of a stage as one."""
    busy, until = 0.0, 0.0
    for job in sorted(jobs, key=lambda job: job.begun):
        busy += max(0.0, job.ended - max(job.begun, until))
        until = max(until, job.ended)
    return Share(
        jobs=len(jobs),
        seconds=busy,
        tasks=tuple(tuple(job.tasks) for job in jobs if job.tasks),
        lost=sum(job.lost for job in jobs),
        read=sum(job.read for job in jobs),
        shuffled=sum(job.shuffled for job in jobs),
        spilled=sum(job.spilled for job in jobs),
    )


def seconds_on(tasks: Sequence[float], executors: int) -> float:
    """Seconds until tasks are done, each given to the executor that is free first."""
    free = [0.0] * executors
    heapify(free)
    for task in tasks:
        heapreplace(free, free[0] + task)
    return max(free)
