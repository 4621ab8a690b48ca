"""Which deliveries only repeat the state that stands, and from which day a snapshot holds."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta

from mlpipe_assets.intake.delivery import Delivery
from mlpipe_assets.intake.known_at import BY_MODIFICATION, arrival_day, read_time
from mlpipe_assets.partitions import ONE_DAY, START_DATE

_A_MOMENT = timedelta(microseconds=1)


def find_copies(ordered: Sequence[Delivery], *, reach: timedelta) -> dict[str, str]:
    """Deliveries of events that repeat a state nothing has touched since, each with the delivery it repeats.

    Touched by a delivery in between that has an event date within `reach` of one of its own, or that replaces it under
    its name: then the same content is its sender's word again, and a delivery of its own.

    Args:
        ordered: All deliveries of a source, the one known first at the beginning.
        reach: How far apart the event dates of two rows with one key may lie.
    """
    days = _days_of_contents(ordered)
    contents = {delivery.delivery: delivery.content for delivery in ordered}
    near = [ONE_DAY * offset for offset in range(-reach.days, reach.days + 1)]
    copies: dict[str, str] = {}
    places: dict[str, int] = {}
    stands: dict[str, tuple[int, str]] = {}  # of each content, where it was stated last, and the delivery that holds it
    touched: dict[date, int] = {}
    replaced: dict[str, int] = {}
    for place, delivery in enumerate(ordered):
        own = days.get(delivery.content)
        since, origin = stands.get(delivery.content, (-1, ""))
        former = delivery.replaces if contents.get(delivery.replaces or "", "") != delivery.content else None
        places[delivery.delivery] = place
        if former:
            replaced[copies.get(former, former)] = place
        if (
            origin
            and own is not None
            and max(replaced.get(origin, -1), places.get(former or "", -1)) <= since
            and all(touched.get(day + offset, -1) <= since for day in own for offset in near)
        ):
            copies[delivery.delivery] = origin
        else:
            origin = delivery.delivery
            touched |= dict.fromkeys(own or (), place)
        stands[delivery.content] = place, origin
    return copies


def find_unchanged(ordered: Sequence[Delivery]) -> dict[str, str]:
    """Snapshots of the same content as the one before, each with the delivery it repeats; those without rows do not count."""
    filled = {d.content for d in ordered if d.events}
    copies: dict[str, str] = {}
    previous: Delivery | None = None
    for delivery in ordered:
        if delivery.content not in filled:
            continue
        if previous and previous.content == delivery.content:
            copies[delivery.delivery] = copies.get(previous.delivery, previous.delivery)
        previous = delivery
    return copies


def snapshot_days(ordered: Sequence[Delivery]) -> dict[str, date]:
    """The day each snapshot is of: that of its arrival.

    Where the first has no date in its name, it and the others of its day hold from MLPIPE_START_DATE on.
    """
    filled = {d.content for d in ordered if d.events}
    first = next((d for d in ordered if d.content in filled), None)
    begun = arrival_day(first.known_at) if first and _is_undated(first) else None
    days = {d.delivery: arrival_day(d.known_at) for d in ordered}
    return {name: START_DATE if day == begun else max(day, START_DATE) for name, day in days.items()}


def _is_undated(delivery: Delivery) -> bool:
    """Whether no date in its name says when a delivery was known; a record of an earlier version says it by `backdated`."""
    return delivery.known_by == BY_MODIFICATION if delivery.known_by else delivery.backdated


def _days_of_contents(ordered: Sequence[Delivery]) -> dict[str, Sequence[date]]:
    """Event dates of each content that has rows, refused ones included, off a delivery that holds them."""
    return {d.content: tuple(d.events) for d in ordered if d.copy_of is None and d.received}


def find_shown(deliveries: Iterable[Delivery]) -> dict[str, datetime]:
    """Since when the rows of each delivery could be read: when it was known or, of a file that replaced another, when it was written.

    A date in a name says of which day the state is that a file gives, and so whose rows hold. It cannot say when that state
    was written over another one, which had been read by then.
    """
    shown: dict[str, datetime] = {}
    for delivery in sorted(deliveries, key=lambda d: d.place):  # a file comes after the one that it replaced
        former = shown.get(delivery.replaces or "")
        written = delivery.known_at if former is None else max(read_time(delivery.modified_ns), former + _A_MOMENT)
        shown[delivery.delivery] = max(delivery.known_at, written)
    return shown


def find_later_versions(
    replacements: Iterable[tuple[str, str, datetime]], order: Mapping[str, int]
) -> dict[str, dict[str, datetime]]:
    """Of each delivery whose file holds other content since, those that hold what the file said later, and since when it does.

    Args:
        replacements: The delivery that was replaced, the one that holds the rows of the content in its place, and since when
            these could be read.
        order: The place of each delivery in the order in which they became known.
    """
    direct: dict[str, dict[str, datetime]] = {}
    for former, newer, shown in replacements:
        if order[former] < order[newer]:
            versions = direct.setdefault(former, {})
            versions[newer] = min(shown, versions.get(newer, shown))
    later: dict[str, dict[str, datetime]] = {}
    for former in sorted(direct, key=lambda name: -order[name]):
        later[former] = versions = dict(direct[former])
        for newer, shown in direct[former].items():
            for last, moment in later.get(newer, {}).items():
                since = max(shown, moment)
                versions[last] = min(since, versions.get(last, since))
    return later
