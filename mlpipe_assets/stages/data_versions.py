"""What Dagster knows of a day besides that it was made: its data version is the digest of what its files hold.

Dagster gives all partitions of one output the same data version, so a run tells of each day by an event of its own. Days
that were made again with the same bytes keep their version, and nothing that is made of them is stale.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Any

import dagster as dg

# Not exported; tests hold their effect.
from dagster._core.definitions.data_version import DATA_VERSION_IS_USER_PROVIDED_TAG, DATA_VERSION_TAG
from dagster._core.definitions.source_asset import (
    SYSTEM_METADATA_KEY_SOURCE_ASSET_OBSERVATION as NO_EVENTS_OF_THEIR_OWN,
)
from dagster._core.execution.plan.execute_step import _build_data_version_tags, _get_input_provenance_data

from mlpipe_assets.outcome import Outcome
from mlpipe_assets.rules import digest
from mlpipe_assets.store import keys
from mlpipe_assets.store.lake import Lake
from mlpipe_assets.store.table_state import TableState

__all__ = ("DATA_VERSION_TAG", "NO_EVENTS_OF_THEIR_OWN", "log_days", "tags_of_version", "version_of", "versions_of")


def version_of(files: Mapping[str, str]) -> str:
    """The data version of a day by the digests of its files: that of its only file, else the digest of them all."""
    return next(iter(files.values())) if len(files) == 1 else digest(sorted(files.items()))


def versions_of(lake: Lake, outcomes: Iterable[Outcome]) -> dict[date, str]:
    """The data version of each day that was written, by what its table holds of it now."""
    states: dict[str, TableState] = {}
    found: dict[date, str] = {}
    for written in (outcome.written for outcome in outcomes if outcome.written):
        place = keys.dated_table(written.target.relative_to(lake.root))
        day = keys.read_day(written.target.parent.name)
        if place is None or day is None:  # it is of no day, such as a page
            continue
        if place not in states:
            states[place] = lake.state(*place.rsplit("/", 1))
        if files := states[place].manifest.days.get(day):
            found[day] = version_of({file: part.sha256 for file, part in files.items()})
    return found


def tags_of_version(version: str) -> dict[str, str]:
    """What makes a version that of an event."""
    return {DATA_VERSION_TAG: version, DATA_VERSION_IS_USER_PROVIDED_TAG: "true"}


def log_days(
    context: dg.AssetExecutionContext,
    key: dg.AssetKey,
    days: Sequence[tuple[date, Mapping[str, Any]]],
    versions: Mapping[date, str],
) -> None:
    """Tell of each day that was made, with its data version, the code, and the versions of what it was made of.

    Args:
        context: Of the run. Dagster stores what is told with the next thing that the asset yields.
        key: The asset.
        days: Days with their metadata.
        versions: The data version of each; a day without one was made, and nobody knows what it holds.
    """
    step = context.get_step_execution_context()
    code = step.job_def.asset_layer.get(key).code_version or context.run.run_id
    made_of = _get_input_provenance_data(key, step)
    for day, metadata in days:
        version = versions.get(day)
        tags = _build_data_version_tags(dg.DataVersion(version), code, made_of, True) if version else None  # noqa: FBT003 (its name says it)
        context.log_event(
            dg.AssetMaterialization(asset_key=key, partition=f"{day}", metadata=dict(metadata), tags=tags)
        )
