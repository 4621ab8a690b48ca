"""Bring every stage up to date: what `mlpipe run` does, as Dagster runs of exactly the days that are behind."""

import logging
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date

import dagster as dg

from mlpipe_assets.automation.outside import describe_ahead, describe_outside
from mlpipe_assets.catalog.declarations import Catalog, Model, Source
from mlpipe_assets.errors import BusyError, LakeError, spell_count
from mlpipe_assets.flow import tables_of
from mlpipe_assets.intake.deliveries import Ledger
from mlpipe_assets.partitions import START_DATE, contiguous, last_partition, spell_days
from mlpipe_assets.serving.spool import hand_over_left
from mlpipe_assets.stages.raw.plan import days_of_arrival, look_at_intakes, new_files, newest_day
from mlpipe_assets.stages.raw.report import FILES_CHECK, MISDATED, REFUSED_FILES, ROWS_CHECK
from mlpipe_assets.stages.telling import ONLY_BLOCKED, REMARKS
from mlpipe_assets.stages.work import Work, spell_blocked
from mlpipe_assets.store.acceptances import NOTHING_CAME
from mlpipe_assets.store.hold import tell_hold
from mlpipe_assets.store.lake import Lake
from mlpipe_assets.training.champion_record import lost_record

_log = logging.getLogger("mlpipe")
_INTERRUPTED = ("DagsterExecutionInterruptedError", "KeyboardInterrupt")
_RANGE = ("dagster/asset_partition_range_start", "dagster/asset_partition_range_end")


@dataclass(kw_only=True)
class TableRun:
    """What was done to one table: partitions built, seconds, and what went wrong."""

    table: str
    days: list[date] = field(default_factory=list)
    seconds: float = 0.0


@dataclass(kw_only=True)
class Summary:
    """What a catch-up did.

    Attributes:
        tables: What was built, in flow order.
        errors: What keeps data out of the tables; a person has to look.
        warnings: What a person should know.
        busy: What was left to another run that is writing it; nobody has to look, and a later run makes up for the rest.
        run_ids: The Dagster runs, newest last.
    """

    tables: dict[str, TableRun] = field(default_factory=dict)
    errors: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    busy: list[str] = field(default_factory=list)
    run_ids: list[str] = field(default_factory=list)

    @property
    def did_nothing(self) -> bool:
        """Whether everything was up to date already."""
        return not self.run_ids


def catch_up(
    lake: Lake,
    catalog: Catalog,
    load: Callable[[], tuple[dg.Definitions, dg.DagsterInstance]],
    wanted: Callable[[date], bool],
) -> Summary:
    """Ingest the drop zone, then build what is behind, stage by stage; what can be built is, whatever else fails.

    Args:
        lake: The lake.
        catalog: What exists.
        load: Gives definitions and instance; called once there is work, since that takes a second.
        wanted: Which days may be built.
    """
    runner = _Runner(load=load, summary=Summary())
    summary = runner.summary
    summary.warnings += tell_hold(lake.objects)
    summary.warnings += hand_over_left(lake.root, (source.name for source in catalog.sources))
    zone = look_at_intakes(lake, catalog)
    if zone.new_files or zone.misplaced:
        for source in catalog.sources:
            new = new_files(lake, source)
            if new or source.name in zone.misplaced:
                days = days_of_arrival(lake, source, new) if new else (newest_day(Ledger.load(lake, source.name)),)
                runner.run("ingest_job", f"raw/{source.name}", days)
        summary.warnings += [line for source in catalog.sources for line in describe_outside(lake, source)]
        zone = look_at_intakes(lake, catalog)
    for name in zone.relieved:  # a run that finds nothing wrong any more says it healed
        runner.run("ingest_job", f"raw/{name}", [newest_day(Ledger.load(lake, name))])
    summary.errors += (look_at_intakes(lake, catalog) if zone.relieved else zone).problems
    summary.warnings += [line for source in catalog.sources for line in describe_ahead(lake, source)]
    summary.warnings += [line for source in catalog.sources for line in _all_outside(lake, source)]
    summary.warnings += [lost for model in catalog.models if model.learner and (lost := _lost(lake, model))]
    for table in tables_of(catalog):
        if table.behind is None:
            continue
        try:
            # What is behind is asked for in turn: it is behind no more when another run has built it.
            with lake.writing("catch_up", table.key.replace("/", ".")):
                work = table.behind(lake, wanted)
                runner.build(table.jobs[0], work)
        except BusyError:
            summary.busy.append(
                f"{table.key}: another `mlpipe run` is building this table, and does what follows from it. Run again when it has ended."
            )
            break
        if summary.busy:  # what follows would be made of what is being written
            break
        # A run of interim may refuse days, which the table is asked for again; what refuses days elsewhere tells so itself.
        told = table.behind(lake, wanted) if table.stage == "interim" and work.days else work
        _tell_blocked(summary, told, error=table.blocked == "error")
    summary.errors = list(dict.fromkeys(summary.errors))
    summary.warnings = [w for w in dict.fromkeys(summary.warnings) if w not in summary.errors]
    return summary


def _lost(lake: Lake, model: Model) -> str | None:
    """That the record of its champions was lost; what cannot be read at all is told by the looks at its tables."""
    try:
        return lost_record(lake, model.name)
    except LakeError:
        return None


def _all_outside(lake: Lake, source: Source) -> list[str]:
    """That a source has events, and none of them in the partitions: MLPIPE_START_DATE may not be what was meant."""
    days = Ledger.load(lake, source.name).days()
    if not days or any(START_DATE <= day <= last_partition() for day in days):
        return []
    span = f"every event, {days[0]} to {days[-1]}, lies outside the partitions"
    return [f"raw/{source.name}: {span}, which begin on {START_DATE} (MLPIPE_START_DATE)"]


def _tell_blocked(summary: Summary, work: Work, *, error: bool = True) -> None:
    """Days that cannot be built; that nothing came is a warning, a file that cannot be read never is."""
    for reason, line in spell_blocked(work):
        wrong = reason == work.unreadable or (error and reason != NOTHING_CAME)
        (summary.errors if wrong else summary.warnings).append(line)


@dataclass(kw_only=True)
class _Runner:
    load: Callable[[], tuple[dg.Definitions, dg.DagsterInstance]]
    summary: Summary
    _loaded: tuple[dg.Definitions, dg.DagsterInstance] | None = None

    def build(self, job: str, work: Work) -> None:
        for first, last in contiguous(work.days):
            self.run(job, work.table, [day for day in work.days if first <= day <= last])

    def run(self, job: str, table: str, days: Sequence[date]) -> None:
        """One Dagster run over a stretch of days, in this process."""
        if self._loaded is None:
            self._loaded = self.load()
        definitions, instance = self._loaded
        first, last = f"{days[0]}", f"{days[-1]}"
        tags = {"dagster/partition": first} if first == last else dict(zip(_RANGE, (first, last), strict=True))
        if not table.startswith("raw/"):
            _log.info("%s: %s", table, spell_days(days))
        started = time.monotonic()
        result = definitions.resolve_job_def(job).execute_in_process(
            instance=instance,
            asset_selection=[dg.AssetKey(table.split("/"))],
            tags=tags,
            raise_on_error=False,
            run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
        )
        if _was_interrupted(result):  # Dagster takes the signal for a failure of the step, and goes on
            raise KeyboardInterrupt
        entry = self.summary.tables.setdefault(table, TableRun(table=table))
        entry.seconds += time.monotonic() - started
        self.summary.run_ids.append(result.run_id)
        if table.startswith("raw/"):
            entry.days += _touched(result)
            _log.info("%s: %s", table, _spell_reading(result))
        elif result.success:
            entry.days += days
        self._tell_checks(table, result)
        if not result.success:
            entry.days += [d for d in _touched(result) if d not in entry.days]
            (self.summary.busy if _was_busy(result) else self.summary.errors).extend(_failures(result, table))

    def _tell_checks(self, table: str, result: dg.ExecuteInProcessResult) -> None:
        """What the checks of a run found, as errors and warnings of the summary."""
        for check in result.get_asset_check_evaluations():
            failed_hard = not check.passed and check.severity == dg.AssetCheckSeverity.ERROR
            line = f"{table}: {check.description}"
            self.summary.warnings += _remarks(table, check)
            if check.check_name == FILES_CHECK:  # look_at_intakes names what cannot be read, file by file
                waiting = check.metadata["waiting"].value
                self.summary.warnings += [f"{table}: {name}" for name in waiting] if isinstance(waiting, list) else []
                whole = check.metadata[REFUSED_FILES].value
                self.summary.warnings += [f"{table}: {line}" for line in whole] if isinstance(whole, list) else []
                self.summary.warnings += (
                    [f"{table}: {check.metadata[MISDATED].value}"] if check.metadata[MISDATED].value else []
                )
            elif failed_hard and not (ONLY_BLOCKED in check.metadata and check.metadata[ONLY_BLOCKED].value):
                self.summary.errors.append(line)
            elif not check.passed and check.check_name != "contract_holds":
                self.summary.warnings.append(line)


def _remarks(table: str, check: dg.AssetCheckEvaluation) -> list[str]:
    """What a person should look at though it refuses nothing: without it the run would look as if all were well."""
    remarks = check.metadata[REMARKS].value if REMARKS in check.metadata else []
    return [f"{table} {line}" for line in remarks] if isinstance(remarks, list) else []


def _was_interrupted(result: dg.ExecuteInProcessResult) -> bool:
    """Whether a step failed because somebody pressed Ctrl-C, and not of itself."""
    errors = [event.step_failure_data.error for event in result.all_events if event.is_step_failure]
    while errors:
        error = errors.pop()
        if error is None:
            continue
        if error.cls_name in _INTERRUPTED:
            return True
        errors.append(error.cause)
    return False


def _was_busy(result: dg.ExecuteInProcessResult) -> bool:
    """Whether its steps failed only because another run was writing their tables."""
    failures = [event.step_failure_data.error for event in result.all_events if event.is_step_failure]
    causes = [error and (error.cause or error) for error in failures]
    return bool(causes) and all(cause and cause.cls_name == BusyError.__name__ for cause in causes)


def _touched(result: dg.ExecuteInProcessResult) -> list[date]:
    """Days the run materialized."""
    events = [e.step_materialization_data.materialization for e in result.all_events if e.is_step_materialization]
    return sorted({date.fromisoformat(e.partition) for e in events if e.partition})


def _spell_reading(result: dg.ExecuteInProcessResult) -> str:
    """What a look at the drop zone brought: its days are in the files, and not known before."""
    read = {check.check_name: check for check in result.get_asset_check_evaluations()}.get(ROWS_CHECK)
    counts = read.metadata["run"].value if read else None
    if not isinstance(counts, dict):
        return "the new files were not read"
    rows, files, again = counts["received"], counts["deliveries"], counts["deliveries_placed_again"]
    parts = [f"{spell_count(rows, 'row')} read from {spell_count(files, 'new file')}"] if files or not again else []
    parts += [f"the rows of {spell_count(again, 'file')} placed again"] if again else []
    return ", ".join(parts)


def _failures(result: dg.ExecuteInProcessResult, table: str) -> list[str]:
    """Why steps, or the run before any step, failed, where no check has said it already; a bug shows its own text."""
    if not any(event.is_step_failure for event in result.all_events):
        ends = [event for event in result.all_events if event.event_type is dg.DagsterEventType.RUN_FAILURE]
        return [f"{table}: the run failed before its first step: {_why(event)}" for event in ends]
    lines: list[str] = []
    for event in result.all_events:
        if event.is_step_failure:
            failure = event.step_failure_data
            if failure.user_failure_data is None and failure.error is not None:
                cause = failure.error.cause or failure.error
                message = re.sub(r"^mlpipe_assets(\.\w+)*\.\w+Error: ", "", (cause.message or "").strip())
                lines.append(message[:1500] if message.startswith(table) else f"{table}: {message[:1500]}")
    return lines


def _why(event: dg.DagsterEvent) -> str:
    error = event.job_failure_data.error
    cause = (error.cause or error) if error else None
    return ((cause.message if cause else event.message) or "no text").strip()[:1500]
