"""What a server counts, and how numbers are spelled for Prometheus: names, labels, histograms."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)  # seconds
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

Labels = tuple[tuple[str, str], ...]


@dataclass(frozen=True, kw_only=True)
class Metric:
    """One metric with its samples.

    Attributes:
        kind: `counter`, `gauge` or `histogram`.
        help: What it is, in one sentence.
        samples: Labels and value of each; of a histogram the suffix of the name is given by the label `""`.
    """

    name: str
    kind: str
    help: str
    samples: Sequence[tuple[Mapping[str, str], float]]


def render(metrics: Iterable[Metric]) -> str:
    """Metrics in the text format of Prometheus."""
    lines: list[str] = []
    for metric in metrics:
        lines += [f"# HELP {metric.name} {_escape(metric.help)}", f"# TYPE {metric.name} {metric.kind}"]
        for labels, value in metric.samples:
            shown = ",".join(f'{name}="{_quote(text)}"' for name, text in labels.items() if name)
            lines.append(
                f"{metric.name}{labels.get('', '')}{{{shown}}} {_number(value)}"
                if shown
                else f"{metric.name}{labels.get('', '')} {_number(value)}"
            )
    return "\n".join([*lines, ""])


@dataclass(kw_only=True)
class ServerCounters:
    """What one server has counted since it began. Only the event loop writes it."""

    requests: dict[tuple[str, int], int] = field(default_factory=lambda: defaultdict(int))
    seconds: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    buckets: dict[str, list[int]] = field(default_factory=lambda: defaultdict(lambda: [0] * (len(BUCKETS) + 1)))
    entities: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    in_flight: int = 0
    reloads: dict[str, int] = field(default_factory=lambda: defaultdict(int))

    def count(self, route: str, status: int, seconds: float) -> None:
        """One request that was answered."""
        self.requests[route, status] += 1
        self.seconds[route] += seconds
        self.buckets[route][next((n for n, limit in enumerate(BUCKETS) if seconds <= limit), len(BUCKETS))] += 1

    def metrics(self) -> list[Metric]:
        """All of it."""
        found = [
            Metric(
                name="mlpipe_requests_total",
                kind="counter",
                help="Requests by route and HTTP status.",
                samples=[
                    ({"route": route, "status": f"{status}"}, n) for (route, status), n in sorted(self.requests.items())
                ],
            ),
            Metric(
                name="mlpipe_request_seconds",
                kind="histogram",
                help="Time from the first byte of a request to its answer, in seconds.",
                samples=[sample for route in sorted(self.buckets) for sample in self._histogram(route)],
            ),
            Metric(
                name="mlpipe_entities_total",
                kind="counter",
                help="Entities that were asked for, by route.",
                samples=[({"route": route}, n) for route, n in sorted(self.entities.items())],
            ),
            Metric(
                name="mlpipe_requests_in_flight",
                kind="gauge",
                help="Requests that are being answered.",
                samples=[({}, self.in_flight)],
            ),
            Metric(
                name="mlpipe_reloads_total",
                kind="counter",
                help="Looks for a newer snapshot or champion, by what became of them.",
                samples=[({"result": result}, n) for result, n in sorted(self.reloads.items())],
            ),
        ]
        return [metric for metric in found if metric.samples]

    def _histogram(self, route: str) -> list[tuple[Mapping[str, str], float]]:
        samples: list[tuple[Mapping[str, str], float]] = []
        total = 0
        for limit, count in zip((*BUCKETS, float("inf")), self.buckets[route], strict=True):
            total += count
            samples.append(
                ({"": "_bucket", "route": route, "le": "+Inf" if limit == float("inf") else f"{limit}"}, total)
            )
        return [*samples, ({"": "_sum", "route": route}, self.seconds[route]), ({"": "_count", "route": route}, total)]


def _number(value: float) -> str:
    return f"{value:.0f}" if float(value).is_integer() and abs(value) < 1e15 else repr(float(value))  # noqa: PLR2004 (exact in a float)


def _quote(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _escape(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\n", "\\n")
