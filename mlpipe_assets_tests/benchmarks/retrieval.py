"""Features joined to a million rows: against DuckDB's own as-of join over one sorted file, and against Feast where it is given.

The yardstick reads two files and leaves a table in memory; ours reads a lake of a file a day, holds each to its digest, and
warns. Both, and Feast, must find the same.
"""

import json
import sys
from pathlib import Path

import duckdb
import polars as pl

from mlpipe_assets.engines.arrow_stream import ArrowStream
from mlpipe_assets.point_in_time.retrieval import Retrieval, Wording
from mlpipe_assets.point_in_time.retrieved_file import write_features
from mlpipe_assets.store.lake import Lake
from mlpipe_assets_tests.benchmarks.agreement import DisagreementError
from mlpipe_assets_tests.benchmarks.child import measure, python
from mlpipe_assets_tests.benchmarks.feature_lakes import NARROW, lake_catalog, write_flat, write_lake, write_spine
from mlpipe_assets_tests.benchmarks.report import (
    Line,
    Measured,
    beside_yardstick,
    median_ratio,
    spell_bytes,
    spell_seconds,
)
from mlpipe_assets_tests.benchmarks.timing import timed

_MOST_TIMES = 3.0
_LEAST_TIMES_OF_FEAST = 10.0
_MOST_BYTES = 2e9
_WIDE = tuple(f"f_{number:03}" for number in range(100))
_FEAST = Path(__file__).with_name("feast_retrieval.py")


def measure_retrieval(folder: Path, rows: int, repeats: int, feast: Path | None) -> Measured:
    """One view against the yardsticks, then ten views of a hundred features by their memory.

    Raises: DisagreementError when they do not find the same.
    """
    folder.mkdir(parents=True, exist_ok=True)
    customers, days = max(100, rows // 10), 90
    arguments = (f"{folder}", f"{rows}", f"{customers}", f"{days}")
    found = python("-m", __spec__.name, "narrow", *arguments, f"{repeats}").result
    name = f"{rows:,} rows joined to one view of {found['feature_rows']:,} rows in {days} partitions, 4 features"
    lines = [
        beside_yardstick(
            f"{name} (yardstick: DuckDB's asof over one sorted file)",
            found["ours"],
            found["yardstick"],
            most_times=_MOST_TIMES,
        )
    ]
    lines.append(_against_feast(folder, found, repeats, feast))
    wide = [
        measure([sys.executable, "-m", __spec__.name, kind, f"{folder}", f"{rows}", f"{max(100, rows // 50)}", "20"])
        for kind in ("frame", "file")
    ]
    for done, what in zip(
        wide, ("ten views x 10 features as a frame", "ten views x 100 features to a file"), strict=True
    ):
        seconds = done.result["seconds"]
        lines.append(
            Line(
                name=f"- {rows:,} rows, {what}: time, and peak of the whole process",
                ours=f"{spell_seconds([seconds])}, {spell_bytes(done.peak_bytes)}",
                target="≤ 2 GB",
                met=done.peak_bytes <= _MOST_BYTES,
            )
        )
    peaks = {
        kind: {"seconds": one.result["seconds"], "peak_bytes": one.peak_bytes}
        for kind, one in zip(("frame", "file"), wide, strict=True)
    }
    return Measured(lines=tuple(lines), numbers={"retrieval": {**found, **peaks}})


def _against_feast(folder: Path, found: dict[str, object], repeats: int, feast: Path | None) -> Line:
    name = "- the same by Feast on its DuckDB store"
    if feast is None:
        return Line(name=name, ours="", yardstick="not measured: give --feast PYTHON, one that has feast[duckdb]")
    where = folder / "feast"
    where.mkdir(exist_ok=True)
    files = [f"{folder}/flat.parquet", f"{folder}/spine.parquet"]
    other = measure([f"{feast}", f"{_FEAST}", *files, f"{where}", f"{repeats}"]).result
    if other["sums"] != found["sums"]:
        raise DisagreementError(f"Feast finds {other['sums']}, and we find {found['sums']}")
    times = 1 / median_ratio(found["ours"], other["seconds"])  # type: ignore[arg-type]
    return Line(
        name=f"- the same by Feast {other['version']} on its DuckDB store",
        ours=spell_seconds(found["ours"]),  # type: ignore[arg-type]
        yardstick=spell_seconds(other["seconds"]),
        ratio=f"{times:.1f}x faster",
        target=f"≥ {_LEAST_TIMES_OF_FEAST:.0f}x faster",
        met=times >= _LEAST_TIMES_OF_FEAST,
    )


def bare_join(flat: str, spine: str) -> pl.DataFrame:
    """The yardstick: read both files, join, and leave the table in memory in the spine's order."""
    connection = duckdb.connect()
    connection.execute("set timezone = 'UTC'")
    joined = connection.sql(
        f"select e.*, f.* exclude (customer_id) from '{spine}' as e asof left join '{flat}' as f "
        "on e.customer_id = f.customer_id and e.event_timestamp >= f.as_of order by e.row_id"
    )
    return pl.DataFrame(ArrowStream(joined.__arrow_c_stream__))


def _narrow(folder: Path, rows: int, customers: int, days: int, repeats: int) -> None:
    """Both in turn, after one run each to warm up."""
    catalog = lake_catalog(folder / "sql", 1, NARROW)
    lake, spine, flat = Lake(data_dir=f"{folder}/lake"), folder / "spine.parquet", folder / "flat.parquet"
    if not flat.exists():
        write_lake(lake.root, catalog, customers, days)
        write_spine(spine, rows, customers, days)
        write_flat(flat, lake, "view_0")
    ours: list[float] = []
    yardstick: list[float] = []
    for _ in range(repeats + 1):
        seconds, found = timed(lambda: Retrieval(lake, catalog, ["view_0:*"], spine, Wording()).frame())
        ours.append(seconds)
        seconds, other = timed(lambda: bare_join(f"{flat}", f"{spine}"))
        yardstick.append(seconds)
        if not found.rename({"view_0__as_of": "as_of"}).select(other.columns).equals(other):
            raise SystemExit("ours and the yardstick disagree")
    sums = {name: found[name].sum() for name in NARROW}
    feature_rows = pl.scan_parquet(flat).select(pl.len()).collect().item()
    print(json.dumps({"ours": ours[1:], "yardstick": yardstick[1:], "sums": sums, "feature_rows": feature_rows}))


def _wide(folder: Path, kind: str, rows: int, customers: int, days: int) -> None:
    """Ten views once: ten features of each as a frame, or all hundred to a file."""
    catalog = lake_catalog(folder / "wide_sql", 10, _WIDE)
    lake, spine = Lake(data_dir=f"{folder}/wide"), folder / f"wide_{rows}.parquet"
    if not spine.exists():
        python("-m", __spec__.name, "prepare", f"{folder}", f"{rows}", f"{customers}", f"{days}")
    features = [
        f"{view.name}:{name}" for view in catalog.feature_views for name in _WIDE[: 10 if kind == "frame" else 100]
    ]
    retrieval = Retrieval(lake, catalog, features, spine, Wording(full_names=True))
    if kind == "frame":
        seconds, _ = timed(retrieval.frame)
    else:
        seconds, _ = timed(lambda: write_features(retrieval, folder / "wide_out.parquet"))
        (folder / "wide_out.parquet").unlink()
    print(json.dumps({"seconds": seconds}))


def main() -> None:
    """The work of one process: `narrow FOLDER ROWS CUSTOMERS DAYS REPEATS`, or `prepare`, `frame` or `file` without REPEATS."""
    kind, folder, *numbers = sys.argv[1:]
    rows, customers, days, *repeats = map(int, numbers)
    place = Path(folder)
    if kind == "narrow":
        _narrow(place, rows, customers, days, *repeats)
    elif kind == "prepare":
        write_lake(place / "wide", lake_catalog(place / "wide_sql", 10, _WIDE), customers, days)
        write_spine(place / f"wide_{rows}.parquet", rows, customers, days)
    else:
        _wide(place, kind, rows, customers, days)


if __name__ == "__main__":
    main()
