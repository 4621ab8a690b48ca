"""What Prometheus is told of pushed rows, and of messages that are followed."""

from mlpipe_assets.serving.http.counters import Metric
from mlpipe_assets.serving.push.pushes import Pushes


def push_metrics(pushes: Pushes) -> list[Metric]:
    """Rows by what became of them, how long they took to the answers, and how many answers follow them."""
    counted = {name: taking.counts for name, taking in sorted(pushes.taking.items()) if taking.counts.rows}
    found = [
        Metric(
            name="mlpipe_pushed_rows_total",
            kind="counter",
            help="Rows that were pushed, by source: taken, of these late (of days that are published), and sent again.",
            samples=[
                ({"source": name, "kind": kind}, count)
                for name, one in counted.items()
                for kind, count in (("taken", one.rows), ("late", one.late), ("repeated", one.repeated))
            ],
        ),
        Metric(
            name="mlpipe_followed_rows_total",
            kind="counter",
            help="Rows of messages, by source, that were in the answers before raw had them.",
            samples=[({"source": name}, tail.rows) for name, tail in sorted(pushes.following.items())],
        ),
        Metric(
            name="mlpipe_follow_failed",
            kind="gauge",
            help="1 while the messages of a source cannot be read; what was read before answers then.",
            samples=[
                ({"source": name}, float(tail.problem is not None)) for name, tail in sorted(pushes.following.items())
            ],
        ),
        Metric(
            name="mlpipe_push_delay_seconds",
            kind="gauge",
            help="Seconds from when the oldest rows of the last round were on the disk until they were in the answers.",
            samples=[({}, pushes.delay)] if counted or pushes.following else [],
        ),
        Metric(
            name="mlpipe_overlay_entities",
            kind="gauge",
            help="Entities of a view whose answers follow pushed rows.",
            samples=[({"view": view}, count) for view, count in sorted(pushes.overlay.count().items())],
        ),
        Metric(
            name="mlpipe_push_not_online",
            kind="gauge",
            help="1 for a view whose answers do not follow what is pushed to its sources; /health says why.",
            samples=[({"view": view}, 1.0) for view in sorted(pushes.all_not_online())],
        ),
    ]
    return [metric for metric in found if metric.samples]
