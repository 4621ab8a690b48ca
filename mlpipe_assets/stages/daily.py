"""What every daily asset shares: partitions, policies, and what people see of it."""

import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import date
from typing import Any

import dagster as dg

from mlpipe_assets.errors import LakeError, MissingPartitionError, MlpipeError
from mlpipe_assets.partitions import START_DATE, days_between, existing_days, last_partition
from mlpipe_assets.rules import Contract
from mlpipe_assets.stages.table_types import column_schema, table_type
from mlpipe_assets.store.data_folder import expect_records
from mlpipe_assets.store.hold import read_hold, spell_hold
from mlpipe_assets.store.lake import Lake
from mlpipe_assets.store.reports import add_to_report

_OF_WHAT_CAME = ("raw", "interim")  # stages made of deliveries: without their records all would be new, or nothing
_OF_WHAT_IS_HELD = ("models", "validation")  # stages that add versions and take nothing of the held state away
DAILY = dg.DailyPartitionsDefinition(start_date=START_DATE.isoformat(), end_offset=1)

# Used on purpose and pinned by the lock; a line per asset at every start would bury what matters.
warnings.filterwarnings("ignore", category=dg.BetaWarning)
warnings.filterwarnings("ignore", category=dg.PreviewWarning)


def daily(
    key: dg.AssetKey,
    *,
    description: str,
    owners: Sequence[str],
    kinds: set[str],
    code_version: str,
    contract: Contract,
    checks: Iterable[dg.AssetCheckSpec],
    deps: Iterable[dg.AssetDep] = (),
    tags: dict[str, str] | None = None,
    metadata: Mapping[str, dg.MetadataValue] | None = None,
) -> dict[str, Any]:
    """Keyword arguments of `dg.asset` for a daily table of the lake.

    It has no freshness policy of Dagster's: that counts from the last materialization, so a backfill of old days would turn
    it green beside a failed check of the newest partition.

    The output is optional: a run that could not write every day it was asked for reports the days it wrote one by one.
    """
    return {
        "key": key,
        "group_name": key.path[0],
        "partitions_def": DAILY,
        "backfill_policy": dg.BackfillPolicy.single_run(),
        "description": description,
        "owners": list(owners),
        "kinds": kinds,
        "code_version": code_version,
        "metadata": {"dagster/column_schema": column_schema(contract), **(metadata or {})},
        "check_specs": list(checks),
        "deps": list(deps),
        "tags": tags,
        "output_required": False,
        "dagster_type": table_type(contract),
    }


def days_of_run(context: dg.AssetExecutionContext, key: dg.AssetKey) -> list[date]:
    """The days a run was asked for, in order.

    Raises: MissingPartitionError for none, or a key outside the partitions; Dagster itself stumbles over both with an
        invariant.
    """
    if not context.has_partition_key_range and not context.has_partition_key:
        raise MissingPartitionError(
            f'{key.to_user_string()}: the run names no day. Add --tags \'{{"dagster/partition": "{last_partition()}"}}\', or the tags '
            "dagster/asset_partition_range_start and dagster/asset_partition_range_end; `mlpipe run` finds the days itself."
        )
    asked = context.partition_key_range
    first, last = existing_days([asked.start, asked.end], key.to_user_string())
    if f"{first}" != asked.start:
        raise MissingPartitionError(
            f"{key.to_user_string()}: the range {asked.start} to {asked.end} ends before it begins."
        )
    return days_between(first, last)


@contextmanager
def at_work(context: dg.AssetExecutionContext, lake: Lake, key: dg.AssetKey) -> Iterator[list[date]]:
    """The days a run was asked for, while no other run may write the table; what stops it goes into the run's report too.

    Raises: SettingsError for a mistyped data folder, LakeError for one that lost its records, MissingPartitionError,
        BusyError, and whatever the work itself raises.
    """
    lake.expect_used()
    if key.path[0] in _OF_WHAT_CAME:
        expect_records(lake.root)
    try:
        days = days_of_run(context, key)
        with lake.writing(key.path[0], key.path[-1]):
            _expect_not_held(lake, key)
            yield days
    except MlpipeError as error:
        with suppress(LakeError):  # a folder that cannot be written is the very error
            add_to_report(lake, context.run.run_id, key.to_user_string(), counts={}, errors=[str(error)])
        raise


def _expect_not_held(lake: Lake, key: dg.AssetKey) -> None:
    """Keep a run from building over a table that is held at a tag; a model may be fitted on what is held."""
    hold = read_hold(lake.objects)
    if hold and key.to_user_string() in hold.tables and key.path[0] not in _OF_WHAT_IS_HELD:
        raise LakeError(f"{key.to_user_string()}: {spell_hold(hold)}. Nothing was changed.")


def check(key: dg.AssetKey, name: str, description: str, *, blocking: bool = False) -> dg.AssetCheckSpec:
    """The spec of a check an asset yields itself."""
    return dg.AssetCheckSpec(name, asset=key, description=description, blocking=blocking)
