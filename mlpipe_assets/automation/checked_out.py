"""Dagster is told what tags and checkouts change: its data version of a day is the digest of what is there.

A day that was reset is materialized with its digest, the code that made it, and how its inputs were at that moment; and so
is a day that stays as it was where what it is made of was reset. So Dagster calls nothing stale that the planner does not.
"""

from collections.abc import Collection, Sequence
from datetime import date
from typing import Any

import dagster as dg
from dagster._core.definitions.data_version import (  # not exported; a test holds their effect
    DEFAULT_DATA_VERSION,
    extract_data_version_from_entry,
)
from dagster._core.execution.plan.execute_step import _build_data_version_tags, _InputProvenanceData

from mlpipe_assets.automation.home import dagster_home, open_home
from mlpipe_assets.catalog.declarations import Catalog
from mlpipe_assets.flow import tables_of
from mlpipe_assets.stages.data_versions import version_of
from mlpipe_assets.stages.flow_table import Table
from mlpipe_assets.store.lake import Lake
from mlpipe_assets.store.tags import Tag
from mlpipe_assets.tagging.checkout import Reset
from mlpipe_assets.tagging.making import digest_of_table

_SHOWN = 16


def record_resets(
    instance: dg.DagsterInstance, lake: Lake, catalog: Catalog, resets: Sequence[Reset], state: str
) -> int:
    """Put on record what each day of some tables holds now; how many days were reset.

    A day that is gone has no materialization any more, and Dagster knows of no such event: its page says so by an observation.

    Args:
        instance: Where Dagster keeps its records.
        lake: What was reset.
        catalog: What exists.
        resets: What was done.
        state: The tag that is checked out, or `now`.
    """
    done = {reset.place: reset for reset in resets}
    changed: dict[str, Collection[date]] = {}
    for table in (table for table in tables_of(catalog) if table.files):
        reset = done.get("/".join(table.place))
        changed[table.key] = reset.touched if reset else ()
        of_others = {day for name in table.upstream for day in changed.get(name, ())}
        _record_days(instance, lake, table, {*(reset.days if reset else ()), *of_others}, state)
        for day in reset.gone if reset else ():
            instance.report_runless_asset_event(
                dg.AssetObservation(
                    asset_key=_key(table.key),
                    partition=f"{day}",
                    metadata={"checked_out": state, "not_there": f"not in {state}"},
                )
            )
    return sum(map(len, changed.values()))


def note_tag(catalog: Catalog, tag: Tag) -> None:
    """The same as `record_tag` in the project's own records, where there are any."""
    if dagster_home().is_dir():
        with open_home() as instance:
            record_tag(instance, catalog, tag)


def note_resets(lake: Lake, catalog: Catalog, resets: Sequence[Reset], state: str) -> None:
    """The same as `record_resets` in the project's own records, where there are any."""
    if dagster_home().is_dir():
        with open_home() as instance:
            record_resets(instance, lake, catalog, resets, state)


def record_tag(instance: dg.DagsterInstance, catalog: Catalog, tag: Tag) -> None:
    """Have the page of each table that a tag pins say so, with the digest of what it pins."""
    for table in (table for table in tables_of(catalog) if table.files):
        if pinned := tag.tables.get("/".join(table.place)):
            about: dict[str, Any] = {
                "tag": tag.name,
                "digest": digest_of_table(pinned)[:_SHOWN],
                "partitions": len(pinned.days),
            }
            instance.report_runless_asset_event(
                dg.AssetObservation(
                    asset_key=_key(table.key),
                    metadata={**about, **({"message": tag.message} if tag.message else {})},
                )
            )


def _record_days(instance: dg.DagsterInstance, lake: Lake, table: Table, days: Collection[date], state: str) -> None:
    now = lake.state(*table.place)
    held = {day: files for day in sorted(days) if (files := now.manifest.days.get(day))}
    if not held:
        return
    key, made_of = _key(table.key), {_key(name): _newest(instance, _key(name)) for name in table.upstream}
    codes = {day: next(iter(files.values())).facts.get("code_version") for day, files in held.items()}
    for day, files in held.items():
        version = version_of({file: part.sha256 for file, part in files.items()})
        tags = _build_data_version_tags(dg.DataVersion(version), f"{codes[day]}", made_of, True)  # noqa: FBT003 (its name says it)
        instance.report_runless_asset_event(
            dg.AssetMaterialization(
                asset_key=key,
                partition=f"{day}",
                metadata={"checked_out": state, "digest": version[:_SHOWN]},
                tags=tags,
            )
        )


def _newest(instance: dg.DagsterInstance, key: dg.AssetKey) -> _InputProvenanceData:
    """The newest event of a table, from where on Dagster looks for newer ones."""
    record = instance.get_latest_data_version_record(key)
    version = extract_data_version_from_entry(record.event_log_entry) if record else None
    return {"data_version": version or DEFAULT_DATA_VERSION, "storage_id": record.storage_id if record else None}


def _key(table: str) -> dg.AssetKey:
    return dg.AssetKey(table.split("/"))
