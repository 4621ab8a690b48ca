"""The machine-readable validation report of each run: validation/reports/<run_id>.json."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from mlpipe_assets.store import keys
from mlpipe_assets.store.lake import Lake
from mlpipe_assets.store.records import Record

_MOST_ERRORS = 200


def add_to_report(
    lake: Lake,
    run_id: str,
    table: str,
    *,
    counts: Mapping[str, Any],
    errors: Iterable[str] = (),
    notes: Iterable[str] = (),
) -> Path:
    """Add one table's verdict to the report of a run, pass or fail.

    `errors` fail the validation; `notes` (rows refused within tolerance, acceptances on record) do not.
    """
    failed = [f"{table}: {line}" for line in errors]
    noted = [f"{table}: {line}" for line in notes]

    def add(found: dict[str, Any] | None) -> dict[str, Any]:
        report = found or {"run_id": run_id, "validation_passed": True, "errors": [], "notes": [], "tables": {}}
        return report | {
            "errors": [*report["errors"], *failed][:_MOST_ERRORS],
            "notes": [*report["notes"], *noted][:_MOST_ERRORS],
            "validation_passed": report["validation_passed"] and not failed,
            "tables": report["tables"] | {table: dict(counts)},
        }

    report = _report(lake, run_id)
    report.change(add)
    return lake.root / report.key


def read_report(lake: Lake, run_id: str) -> dict[str, Any] | None:
    """The report of a run; None when it has none.

    Raises: LakeError when it cannot be read.
    """
    return _report(lake, run_id).read()


def _report(lake: Lake, run_id: str) -> Record[dict[str, Any]]:
    cure = "Delete it: the next run writes one of its own."
    return Record(objects=lake.objects, key=keys.report(run_id), parse=dict, cure=cure)
