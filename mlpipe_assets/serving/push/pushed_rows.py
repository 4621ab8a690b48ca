"""Rows that a request brings: each as the text it was sent as, and judged as interim judges the rows of a file."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import polars as pl

from mlpipe_assets.catalog.declarations import Catalog, Source, is_snapshot
from mlpipe_assets.catalog.feeds import Files, KafkaTopic, NatsStream
from mlpipe_assets.contracts.serving_log import ServingLog
from mlpipe_assets.errors import PrepareError, shorten
from mlpipe_assets.intake.known_at import arrival_day
from mlpipe_assets.readers.blocks import MALFORMED_SCHEMA, Block, records_frame
from mlpipe_assets.readers.json_check import DECODER, NotFiniteError, refusal_of_value
from mlpipe_assets.serving.answers import BadRequestError
from mlpipe_assets.serving.push.marks import NAME
from mlpipe_assets.transforms.arrival import arrive
from mlpipe_assets.transforms.events import decode, own_columns
from mlpipe_assets.transforms.judging import judge_events, name_columns

MOST_ROWS = 1_000  # of one request
_NOTHING = "0" * 64  # what rows that are of no delivery yet call theirs
_BLANKS = re.compile(r"[ \t\r\n]*")
_AHEAD = "lies too far in the future"


@dataclass(frozen=True, kw_only=True)
class Judged:
    """Rows that hold, in the columns of the contract with `event_date`; of each other row its number and the reasons."""

    rows: pl.DataFrame
    reasons: dict[int, str]


def source_to_push(catalog: Catalog, name: str) -> Source:
    """The source that rows are pushed to.

    Raises: BadRequestError for one that is not there, or that takes no single rows.
    """
    source = next((one for one in catalog.sources if one.name == name), None)
    if source is None:
        there = shorten([one.name for one in catalog.sources if why_not(one) is None]) or "none"
        raise BadRequestError(
            f"There is no source {name[:100]!r}; those that rows can be pushed to are {there}.", status=404
        )
    if problem := why_not(source):
        raise BadRequestError(f"Rows cannot be pushed to {name}: {problem}.")
    return source


def why_not(source: Source) -> str | None:
    """Why rows cannot be pushed to a source; None when they can."""
    if issubclass(source.contract, ServingLog):
        return "it is what servers answered"
    if is_snapshot(source):
        return "it is a snapshot, each delivery is the whole table"
    if not isinstance(source.feed, Files):
        return "it does not take its rows from files"
    if source.feed.location:
        return "its files come from a bucket"
    return f"its files wrap their rows below {source.feed.records!r}" if source.feed.records else None


def is_followed(source: Source) -> bool:
    """Whether a server reads the rows of a source as they are sent: messages of a topic or a stream, each an event."""
    streams = isinstance(source.feed, KafkaTopic | NatsStream)
    return streams and not is_snapshot(source) and not issubclass(source.contract, ServingLog)


def cut_rows(body: bytes) -> list[str]:
    """The objects below `rows` of a body, each on one line as the text it was sent as: no number is read and written again.

    Raises: BadRequestError for any other body.
    """
    try:
        text = body.decode()
        start = _after_blanks(text, 0)
        value, end = DECODER.raw_decode(text, start)
    except (UnicodeDecodeError, json.JSONDecodeError, NotFiniteError, RecursionError):
        raise BadRequestError("The body is not JSON.", status=400) from None
    if _after_blanks(text, end) != len(text):
        raise BadRequestError("The body is not JSON.", status=400)
    if not isinstance(value, dict):
        raise BadRequestError("The body is not an object.")
    if "rows" not in value:
        raise BadRequestError("rows is missing.")
    if len(value) > 1:
        raise BadRequestError(f"{len(value) - 1:,} of the names beside rows are no part of this request.")
    rows = value["rows"]
    if not isinstance(rows, list | dict):
        raise BadRequestError("rows is not a list of objects.")
    if not rows:
        raise BadRequestError("rows is empty.")
    if isinstance(rows, list) and len(rows) > MOST_ROWS:
        raise BadRequestError(
            f"{len(rows):,} rows are more than the {MOST_ROWS:,} of one request. Send them in several."
        )
    return _cut(text, start)


def _cut(text: str, start: int) -> list[str]:
    """The texts of the objects of a body that is known to be `{"rows": …}`."""
    _, at = DECODER.raw_decode(text, _after_blanks(text, start + 1))
    at = _after_blanks(text, _after_blanks(text, at) + 1)  # behind the colon
    listed = text[at] == "["
    at = _after_blanks(text, at + 1) if listed else at
    payloads: list[str] = []
    while True:
        value, end = DECODER.raw_decode(text, at)
        if problem := refusal_of_value(value, text[at:end]):
            raise BadRequestError(f"Row {len(payloads) + 1}: {_unquoted(problem)}. Nothing of this request was taken.")
        if NAME in value:
            raise BadRequestError(f"Row {len(payloads) + 1} has the name {NAME}, which is ours. Call it otherwise.")
        payloads.append(text[at:end].replace("\r", " ").replace("\n", " "))  # line ends stand between tokens only
        at = _after_blanks(text, end)
        if not listed or text[at] == "]":
            break
        at = _after_blanks(text, at + 1)
    if text[_after_blanks(text, at + 1 if listed else at)] != "}":
        raise BadRequestError("rows stands twice.")
    return payloads


def judge_rows(source: Source, payloads: Sequence[str], known_at: datetime) -> Judged:
    """Rows cast and judged by the contract of their source, as interim does it with those of a file known at a moment.

    Raises: PrepareError when the source's own function fails on them.
    """
    block = Block(
        records=records_frame(range(1, len(payloads) + 1), payloads),
        text=None,
        malformed=pl.DataFrame(schema=MALFORMED_SCHEMA),
    )
    return judge_block(source, block, known_at)


def judge_block(source: Source, block: Block, known_at: datetime) -> Judged:
    """The same of objects that come as a block."""
    day = arrival_day(known_at)
    events, away = arrive(
        block, source, delivery=_NOTHING, source_file="", known_at=known_at, snapshot_day=day, arrived=day
    )
    reasons = dict(away.select("record_number", "reasons").rows())
    ahead = pl.col("event_date") > arrival_day(known_at + source.ahead_within)
    for number in events.filter(ahead)["record_number"]:
        reasons[number] = f"{source.event_time}: {_AHEAD}, more than {_spell(source.ahead_within)} after now"
    events = events.filter(~ahead)
    if not events.height:  # nothing is left for the source's own function to read
        return Judged(rows=pl.DataFrame(schema={"record_number": pl.Int64()}), reasons=reasons)
    rows, refused = judge_objects(source, events)
    reasons |= dict(refused.select("record_number", "reasons").rows())
    return Judged(rows=rows, reasons=reasons)


def judge_objects(source: Source, events: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Of events that are objects of JSON those that hold, in the columns of the contract, and those refused.

    Raises: PrepareError as `judge_rows`.
    """
    own = own_columns(source)
    text = decode(events["payload"], None if source.prepare else own)
    return judge_events(name_columns(events, text, source, own, ()), source)


def expect_sound(source: Source, payloads: Sequence[str], reasons: dict[int, str]) -> None:
    """Refuse a request some of whose rows do not hold. Raises: BadRequestError that names row, column and rule, never a value."""
    if not reasons:
        return
    number = min(reasons)
    more = f" So do {len(reasons) - 1:,} more of its {len(payloads):,}." if len(reasons) > 1 else ""
    raise BadRequestError(
        f"Row {number} breaks what {source.name} promises: {reasons[number]}.{more} Nothing of this request was taken."
    )


def judge_each(source: Source, requests: Sequence[Sequence[str]]) -> list[Judged | BadRequestError]:
    """The rows of several requests, judged in one pass; for each of them what holds, or why it is refused."""
    now = datetime.now(tz=UTC)
    try:
        judged = judge_rows(source, [row for rows in requests for row in rows], now)
    except PrepareError as error:
        if len(requests) == 1:
            return [BadRequestError(f"{f'{error}'.rstrip('.')}. Nothing of this request was taken.")]
        return [one for rows in requests for one in judge_each(source, [rows])]
    found: list[Judged | BadRequestError] = []
    first = 0
    for rows in requests:
        last = first + len(rows)
        reasons = {number - first: why for number, why in judged.reasons.items() if first < number <= last}
        try:
            expect_sound(source, rows, reasons)
        except BadRequestError as error:
            found.append(error)
        else:
            found.append(
                Judged(rows=judged.rows.filter(pl.col("record_number").is_between(first + 1, last)), reasons={})
            )
        first = last
    return found


def _after_blanks(text: str, at: int) -> int:
    return _BLANKS.match(text, at).end()  # type: ignore[union-attr]  # it matches the empty text too


def _unquoted(problem: str) -> str:
    """Why a text is no record, without the name that it repeats: a sender may have put anything there."""
    return "a name stands twice" if problem.startswith("the key ") else problem


def _spell(within: timedelta) -> str:
    hours = within.total_seconds() / 3600
    return f"{hours / 24:g} days" if hours > 24 else f"{hours:g} hours"  # noqa: PLR2004 (a day)
