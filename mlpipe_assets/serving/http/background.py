"""What a server does beside answering: it looks for what is new, takes in pushed rows, and writes down what it answered."""

import asyncio
from contextlib import suppress

from mlpipe_assets.serving.answer_log import AnswerLog
from mlpipe_assets.serving.http.counters import ServerCounters
from mlpipe_assets.serving.http.gate import RequestLog, spell_error
from mlpipe_assets.serving.http.outbox import Outbox
from mlpipe_assets.serving.http.state import ServerState
from mlpipe_assets.serving.prediction import Champion
from mlpipe_assets.serving.push.pushes import Pushes
from mlpipe_assets.serving.push.stream_tail import StreamTail

_LOOK_SECONDS = 0.5
_PAUSE_SECONDS = 5.0  # after a broker could not be asked


async def look_on(state: ServerState, counters: ServerCounters, log: RequestLog) -> None:
    """Look for newer snapshots, champions and keys."""
    told: str | None = None
    while True:
        log.flush()
        await asyncio.sleep(_LOOK_SECONDS)
        changed = await asyncio.to_thread(state.look)
        problem = state.problem
        counters.reloads["failed" if problem else "new" if changed else "same"] += 1
        if changed:
            loaded = state.loaded
            barred = {name: one for name, one in loaded.champions.items() if not isinstance(one, Champion)}
            log.write("loaded", snapshot=loaded.snapshot, models=sorted(loaded.champions), barred=barred)
        if problem and problem != told:
            log.write("look failed", problem=problem)
        told = problem


async def write_on(answers: AnswerLog | None, log: RequestLog) -> None:
    """Write down what was answered, twice a second; that it cannot be is said once."""
    told: str | None = None
    while answers:
        await asyncio.sleep(_LOOK_SECONDS)
        await asyncio.to_thread(answers.write)
        problem = answers.problem
        if problem and problem != told:
            log.write("answers are not logged", problem=problem)
        told = problem


async def send_on(outbox: Outbox | None, log: RequestLog) -> None:
    """Send what was written down to where the lake is; that it cannot be is said once."""
    told: str | None = None
    while outbox:
        await asyncio.sleep(_LOOK_SECONDS)
        await asyncio.to_thread(outbox.send)
        if outbox.problem and outbox.problem != told:
            log.write("answers wait on this machine", problem=outbox.problem)
        told = outbox.problem


async def merge_on(pushes: Pushes | None, log: RequestLog) -> None:
    """Take in pushed rows: those of this server at once, those of others twice a second; that it fails is said once."""
    if pushes is None:
        return
    pushed, loop = asyncio.Event(), asyncio.get_running_loop()
    told: dict[str, object] = {}

    def wake() -> None:
        loop.call_soon_threadsafe(pushed.set)

    pushes.wake = wake
    while True:
        with suppress(TimeoutError):
            await asyncio.wait_for(pushed.wait(), _LOOK_SECONDS)
        pushed.clear()
        try:
            await asyncio.to_thread(pushes.look)
            await asyncio.to_thread(pushes.hand_over)
        except Exception as error:  # noqa: BLE001 (the last boundary: rows that are taken must go on being taken)
            found = spell_error(error)
            if found != told:
                log.write("push failed", **found)
            told = found
        else:
            told = {}


async def follow_on(pushes: Pushes | None, log: RequestLog) -> None:
    """Read the messages of each source as they are sent, twice a second; that they cannot be is said once."""
    async with asyncio.TaskGroup() as group:
        for name, tail in (pushes.following if pushes else {}).items():
            group.create_task(_follow(name, tail, log))


async def _follow(name: str, tail: StreamTail, log: RequestLog) -> None:
    told: object = None
    while True:
        try:
            await asyncio.to_thread(tail.look)
            found: dict[str, object] = {"problem": tail.problem} if tail.problem else {}
        except Exception as error:  # noqa: BLE001 (the last boundary: what can be read tomorrow must be)
            found = spell_error(error)
        if found and found != told:
            log.write("messages cannot be read", source=name, **found)
        told = found
        await asyncio.sleep(_PAUSE_SECONDS if found else _LOOK_SECONDS)
