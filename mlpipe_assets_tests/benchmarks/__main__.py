"""`python -m mlpipe_assets_tests.benchmarks`: measure, print the table, and keep it in docs/benchmarks.md."""

import argparse
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from datetime import date
from pathlib import Path

from mlpipe_assets_tests.benchmarks.agreement import DisagreementError
from mlpipe_assets_tests.benchmarks.child import ROOT, ChildError, python
from mlpipe_assets_tests.benchmarks.cluster import measure_cluster
from mlpipe_assets_tests.benchmarks.drift_kinds import measure_drift_kinds
from mlpipe_assets_tests.benchmarks.drift_table import measure_drift_table
from mlpipe_assets_tests.benchmarks.false_alarms import measure_false_alarms
from mlpipe_assets_tests.benchmarks.flights import measure_flights
from mlpipe_assets_tests.benchmarks.importing import measure_import
from mlpipe_assets_tests.benchmarks.late_rows import measure_late_rows
from mlpipe_assets_tests.benchmarks.loop import measure_loop
from mlpipe_assets_tests.benchmarks.pipeline import measure_pipeline
from mlpipe_assets_tests.benchmarks.push import measure_push
from mlpipe_assets_tests.benchmarks.report import Measured, show, write_json, write_page
from mlpipe_assets_tests.benchmarks.retrieval import measure_retrieval
from mlpipe_assets_tests.benchmarks.serving import measure_serving
from mlpipe_assets_tests.benchmarks.tags import measure_tags
from mlpipe_assets_tests.benchmarks.validate import measure_validation
from mlpipe_assets_tests.benchmarks.views import measure_views
from mlpipe_assets_tests.benchmarks.warehouse import measure_warehouse
from mlpipe_assets_tests.benchmarks.workload import Workload

_NAMES = (
    "import",
    "validate",
    "pipeline",
    "views",
    "late",
    "loop",
    "retrieval",
    "drift",
    "alarms",
    "kinds",
    "flights",
    "serving",
    "push",
    "warehouse",
    "tags",
)
_ASKED = ("cluster", "cluster-large")  # parts that need Java and pyspark, and are measured when they are named
_SIZES = (Workload(orders=1_000_000, more_days=1), Workload(orders=5_000_000, more_days=1))
_QUICK_SIZES = (
    Workload(orders=100_000, customers=20_000, more_days=1),
    Workload(orders=300_000, customers=20_000, more_days=1),
)
_YEAR = Workload(orders=3_700_000, days=370, first=date(2025, 6, 1))
_QUICK_YEAR = Workload(orders=74_000, customers=5_000, days=370, first=date(2025, 6, 1))
_LATE = Workload(orders=1_000_000, customers=20_000, more_days=1)
_LARGE = Workload(orders=20_000_000, customers=1_000_000)
_PAGE = ROOT / "docs" / "benchmarks.md"


def main() -> int:
    """0 when everything promised was met, 1 when something was missed, 2 when something could not be measured."""
    options = _parser().parse_args()
    sizes = _QUICK_SIZES if options.quick else _SIZES
    year = _QUICK_YEAR if options.quick else _YEAR
    rows = 100_000 if options.quick else 1_000_000
    late = _QUICK_SIZES[0] if options.quick else _LATE
    large = _QUICK_SIZES[1] if options.quick else _LARGE
    with ExitStack() as stack:
        folder = options.keep or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="mlpipe-bench-")))
        folder = folder.absolute()
        work: dict[str, Callable[[], Measured | None]] = {
            "import": measure_import,
            "validate": lambda: measure_validation(_written(folder, sizes[-1]) / "raw", max(options.repeats, 5)),
            "pipeline": lambda: measure_pipeline(folder, [(w, _written(folder, w)) for w in sizes], options.repeats),
            "views": lambda: measure_views(
                folder / "views",
                (sizes[-1], _written(folder, sizes[-1])),
                (year, _written(folder, year)),
                options.repeats,
            ),
            "late": lambda: measure_late_rows(folder / "late", _written(folder, late), late, options.repeats),
            "loop": lambda: measure_loop(
                folder / "loop", _written(folder, sizes[-1]), sizes[-1], max(options.repeats, 3)
            ),
            "retrieval": lambda: measure_retrieval(
                folder / f"retrieval-{rows}", rows, max(options.repeats, 5), options.feast and options.feast.absolute()
            ),
            "drift": lambda: measure_drift_table(folder / f"drift-{rows}", rows, max(options.repeats, 5)),
            "alarms": lambda: measure_false_alarms(
                None if options.quick or options.only else _PAGE.parent, *((20, 5, 5) if options.quick else ())
            ),
            "kinds": lambda: measure_drift_kinds(*((2, 2) if options.quick else ())),
            "flights": lambda: measure_flights(folder / "flights", options.repeats),
            "serving": lambda: measure_serving(folder / "serving", options.feast, 2 if options.quick else 10),
            "push": lambda: measure_push(folder / "push", sizes[0]),
            "warehouse": lambda: measure_warehouse(folder / "warehouse", sizes[-1].orders),
            "cluster": lambda: measure_cluster(folder / "cluster", _written(folder, sizes[-1]), sizes[-1]),
            "cluster-large": lambda: measure_cluster(folder / "cluster", _written(folder, large), large),
            "tags": lambda: measure_tags(folder / "tags", 200 if options.quick else 10_000),
        }
        measured, failed = measure_all({name: work[name] for name in options.only or _NAMES})
    show(measured, "Quick: small sizes, for checking the benchmark itself" if options.quick else "Benchmarks")
    _keep(options, measured, whole=not (failed or options.quick or options.only))
    if failed:
        print(f"error: not measured: {', '.join(failed)}; docs/ is as it was", file=sys.stderr)
        return 2
    return 1 if any(line.met is False for m in measured for line in m.lines) else 0


def measure_all(work: Mapping[str, Callable[[], Measured | None]]) -> tuple[list[Measured], list[str]]:
    """What was measured, and the parts that could not be: an hour's work is not thrown away for its last part."""
    measured, failed = [], []
    for name, measure in work.items():
        print(f"measuring: {name}", flush=True)
        try:
            found = measure()
        except (ChildError, DisagreementError) as error:
            print(f"error: {name}: {error}", file=sys.stderr, flush=True)
            failed.append(name)
            continue
        if found is not None:
            measured.append(found)
    return measured, failed


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m mlpipe_assets_tests.benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="small sizes; the page in docs/ stays as it is")
    parser.add_argument(
        "--only", nargs="+", choices=_NAMES + _ASKED, metavar="NAME", help=f"some of: {', '.join(_NAMES + _ASKED)}"
    )
    parser.add_argument("--repeats", type=int, default=3, help="repetitions of which the median counts (3)")
    parser.add_argument(
        "--keep", type=Path, metavar="DIR", help="make the workloads here, and use them again next time"
    )
    parser.add_argument(
        "--feast",
        type=Path,
        metavar="PYTHON",
        help="a Python that has feast[duckdb,redis] 0.67, to compare retrieval and serving with it",
    )
    parser.add_argument("--out", type=Path, metavar="FILE", help="every number as JSON (docs/benchmarks.json)")
    return parser


def _written(folder: Path, workload: Workload) -> Path:
    """Where a workload lies; written by a process of its own if it is not there yet."""
    numbers = [workload.orders, workload.customers, workload.days, workload.more_days, workload.seed, workload.first]
    target = folder / f"workload-{'-'.join(map(str, numbers))}"
    if not (target / "truth.json").exists():
        print(f"writing {workload.orders:,} orders to {target}", flush=True)
        written = python("-m", "mlpipe_assets_tests.benchmarks.workload", f"{target}", *map(str, numbers)).output
        (target / "truth.json").write_text(written, encoding="utf-8")
    return target


def _keep(options: argparse.Namespace, measured: Sequence[Measured], *, whole: bool) -> None:
    """Only a full measurement of everything replaces what docs/ says."""
    if whole:
        write_page(_PAGE, measured)
    if options.out or whole:
        chosen = {"quick": options.quick, "only": options.only, "repeats": options.repeats}
        write_json(options.out or _PAGE.with_suffix(".json"), measured, chosen)


if __name__ == "__main__":
    sys.exit(main())
