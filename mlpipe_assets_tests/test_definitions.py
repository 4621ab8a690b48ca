"""The asset graph as people and checks rely on it: a golden file, rewritten by `make golden`."""

import json
import os
from pathlib import Path
from typing import Any

import dagster as dg

from mlpipe_assets.definitions import defs

GOLDEN = Path(__file__).parent / "golden" / "asset_graph.json"


def mapping_of(mapping: dg.PartitionMapping | None) -> str:
    """A partition mapping in words."""
    if isinstance(mapping, dg.TimeWindowPartitionMapping):
        return f"days {mapping.start_offset:+} to {mapping.end_offset:+}"
    return "same day" if mapping is None else type(mapping).__name__


def asset_of(asset: dg.AssetsDefinition, spec: dg.AssetSpec) -> dict[str, Any]:
    """What a user sees of one asset; code versions are left out, they move with every rule."""
    partitions = asset.partitions_def
    return {
        "group": spec.group_name,
        "kinds": sorted(spec.kinds),
        "owners": list(spec.owners),
        "partitions": type(partitions).__name__,
        "one run for a range": asset.backfill_policy == dg.BackfillPolicy.single_run(),
        "columns": [c.name for c in spec.metadata.get("dagster/column_schema", dg.TableSchema([])).columns],
        "depends on": {d.asset_key.to_user_string(): mapping_of(d.partition_mapping) for d in spec.deps},
        "checks": {c.name: "blocking" if c.blocking else "reported" for c in asset.check_specs},
    }


def graph() -> dict[str, Any]:
    jobs = defs.resolve_all_job_defs()
    return {
        "assets": {
            spec.key.to_user_string(): asset_of(asset, spec)
            for asset in defs.assets or []
            if isinstance(asset, dg.AssetsDefinition)
            for spec in asset.specs
        },
        "jobs": {
            job.name: sorted(key.to_user_string() for key in job.asset_layer.selected_asset_keys)
            for job in jobs
            if not job.name.startswith("__")
        },
        "sensors": sorted(sensor.name for sensor in defs.sensors or []),
        "schedules": {s.name: s.cron_schedule for s in defs.schedules or [] if isinstance(s, dg.ScheduleDefinition)},
    }


def test_the_golden_asset_graph_is_as_it_was() -> None:
    found = json.loads(json.dumps(graph()))
    if os.environ.get("MLPIPE_GOLDEN"):
        GOLDEN.parent.mkdir(exist_ok=True)
        GOLDEN.write_text(json.dumps(found, indent=2) + "\n")

    assert found == json.loads(GOLDEN.read_text())


def test_definitions_can_be_loaded_by_dagster() -> None:
    dg.Definitions.validate_loadable(defs)

    assert {job.name for job in defs.resolve_all_job_defs()} >= {
        *("ingest_job", "daily_job", "training_job"),
        *("prediction_job", "retraining_job", "prototype_job", "tag_job"),
    }
    assert defs.resolve_job_def("daily_job").partitions_def is not None
