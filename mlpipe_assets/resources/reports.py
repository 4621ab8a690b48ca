"""The machine-readable validation report of each run: validation/reports/<run_id>.json."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from mlpipe_assets.resources.lake import Lake

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
    path = lake.root / "validation" / "reports" / f"{run_id}.json"
    report: dict[str, Any] = {"run_id": run_id, "validation_passed": True, "errors": [], "notes": [], "tables": {}}
    if path.exists():
        report = json.loads(path.read_text(encoding="utf-8"))
    lines = [f"{table}: {line}" for line in errors]
    report["errors"] = [*report["errors"], *lines][:_MOST_ERRORS]
    report["notes"] = [*report["notes"], *(f"{table}: {line}" for line in notes)][:_MOST_ERRORS]
    report["validation_passed"] = report["validation_passed"] and not lines
    report["tables"][table] = dict(counts)
    lake.write_json(path, report)
    return path
