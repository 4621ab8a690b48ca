"""Failed runs and checks are told off Dagster's records, whoever started the run, and healed day by day."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest

from mlpipe_assets.alerting.alert_book import read_book
from mlpipe_assets.automation.run_alerts import days_of, tell_of_runs
from mlpipe_assets.automation.run_problems import RunResult, Standing, fold, problem_of, problems_of
from mlpipe_assets.catalog.contents import CATALOG
from mlpipe_assets.catalog.sources import orders
from mlpipe_assets.engines.duckdb_engine import DuckDBEngine
from mlpipe_assets.executors.executor import THREADS
from mlpipe_assets.resources.run_lake import LakeResource
from mlpipe_assets.settings import Settings, read_settings
from mlpipe_assets.stages.interim.asset import interim_asset
from mlpipe_assets.stages.models.checks import TOLD
from mlpipe_assets.stages.predictions.asset import prediction_asset
from mlpipe_assets.stages.raw.asset import raw_asset
from mlpipe_assets.store.lake import Lake
from mlpipe_assets_tests.champions import crowned_lake
from mlpipe_assets_tests.planted import day, drop_orders, one_a_day
from mlpipe_assets_tests.webhook import Webhook

BAD = [(f"x{i}", "ann", day(2), "-1.00", "web") for i in range(30)]


SILENT = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


def now() -> datetime:
    return datetime.now(tz=UTC)


def settings(server: Webhook) -> Settings:
    return replace(read_settings({}), alert_urls=(server.url,))


def run(lake: Lake, instance: dg.DagsterInstance) -> str:
    """One run over the first two days, as the command line makes it: no daemon, no sensor knows of it."""
    tags = {"dagster/asset_partition_range_start": f"{day(1)}", "dagster/asset_partition_range_end": f"{day(2)}"}
    result = dg.materialize(
        [raw_asset(orders), interim_asset(orders)],
        resources={"lake": LakeResource(data_dir=lake.data_dir), "engine": DuckDBEngine(), "executor": THREADS},
        instance=instance,
        raise_on_error=False,
        tags=tags,
        run_config=SILENT,
    )
    return result.run_id


def test_a_failed_check_is_told_once_and_again_when_it_passes(
    lake: Lake, instance: dg.DagsterInstance, server: Webhook
) -> None:
    drop_orders(lake, f"orders_{day(1)}.csv", one_a_day(1, 1))
    drop_orders(lake, f"orders_{day(2)}.csv", BAD)
    run_id = run(lake, instance)
    tell_of_runs(lake, CATALOG, settings(server), instance, now())
    tell_of_runs(lake, CATALOG, settings(server), instance, now())  # nothing new
    run(lake, instance)  # fails the same way
    tell_of_runs(lake, CATALOG, settings(server), instance, now())

    [broken] = server.received
    assert broken["title"] == "interim/orders: check contract_holds failed"
    lines = broken["message"].splitlines()
    assert lines[1] == "how many: 1 day: 2026-01-02"  # the first day of the run was written
    assert "30 of 30 rows refused, 20 tolerated" in lines[2]
    assert lines[4].startswith(f"what to do: read validation/reports/{run_id}.json; correct and deliver the file again")

    drop_orders(lake, f"orders_{day(2)}.csv", one_a_day(2, 2))
    run(lake, instance)
    tell_of_runs(lake, CATALOG, settings(server), instance, now())

    assert server.titles()[1:] == ["healed: interim/orders: check contract_holds failed"]


def test_a_run_that_fails_without_a_check_is_told_with_its_error(
    lake: Lake, instance: dg.DagsterInstance, server: Webhook, monkeypatch: pytest.MonkeyPatch
) -> None:
    drop_orders(lake, f"orders_{day(2)}.csv", one_a_day(1, 2))

    def break_down(*_: object, **__: object) -> None:
        raise ValueError("the disk said no")

    with monkeypatch.context() as broken:
        broken.setattr("mlpipe_assets.stages.interim.asset.build_interim", break_down)
        run(lake, instance)
    tell_of_runs(lake, CATALOG, settings(server), instance, now())

    [message] = server.received
    assert message["title"] == "interim/orders: run failed"
    assert "example: ValueError: the disk said no" in message["message"]

    run(lake, instance)
    tell_of_runs(lake, CATALOG, settings(server), instance, now())
    assert server.titles()[1:] == ["healed: interim/orders: run failed"]
    assert read_book(lake).open == {}


def test_runs_of_two_instances_are_both_looked_at(
    lake: Lake, instance: dg.DagsterInstance, tmp_path: Path, server: Webhook
) -> None:
    drop_orders(lake, f"orders_{day(2)}.csv", [*one_a_day(1, 1), *BAD])
    (tmp_path / "other").mkdir()
    with dg.DagsterInstance.local_temp(str(tmp_path / "other")) as other:
        run(lake, other)
        run(lake, instance)
        tell_of_runs(lake, CATALOG, settings(server), instance, now())
        told = tell_of_runs(lake, CATALOG, settings(server), other, now() + timedelta(minutes=5))

    assert told == []  # known already
    assert server.titles() == ["interim/orders: check contract_holds failed"]
    assert len(read_book(lake).seen["runs"]["places"]) == 2


def test_a_new_reason_under_an_open_check_is_reported_and_the_old_one_is_not_repeated(
    lake: Lake, instance: dg.DagsterInstance, server: Webhook
) -> None:
    drop_orders(lake, f"orders_{day(1)}.csv", one_a_day(1, 1))
    drop_orders(lake, f"orders_{day(2)}.csv", BAD)
    run(lake, instance)
    tell_of_runs(lake, CATALOG, settings(server), instance, now())
    drop_orders(
        lake, f"orders_{day(2)}.csv", [*BAD, ("y", "bob", day(2), "-2.00", "app")]
    )  # another number, same reason
    run(lake, instance)
    tell_of_runs(lake, CATALOG, settings(server), instance, now())
    drop_orders(lake, f"orders_{day(2)}.csv", [(f"x{i}", "", day(2), "1.00", "web") for i in range(30)])
    run(lake, instance)
    tell_of_runs(lake, CATALOG, settings(server), instance, now())

    title = "interim/orders: check contract_holds failed"
    assert server.titles() == [title, f"{title}, for another reason"]


def test_an_unreadable_file_is_no_problem_of_the_run_that_met_it(
    lake: Lake, instance: dg.DagsterInstance, server: Webhook
) -> None:
    drop_orders(lake, f"orders_{day(1)}.csv", one_a_day(1, 1))
    (lake.root / "raw" / "orders" / "orders.pdf").write_text("no orders")
    (lake.root / "raw" / "orders" / "orders.parquet").write_text("no orders")
    run(lake, instance)

    assert tell_of_runs(lake, CATALOG, settings(server), instance, now()) == []  # it is reported as a file


def test_a_good_run_on_another_data_folder_heals_nothing(
    lake: Lake, instance: dg.DagsterInstance, tmp_path: Path, server: Webhook
) -> None:
    drop_orders(lake, f"orders_{day(2)}.csv", [*one_a_day(1, 1), *BAD])
    other = Lake(data_dir=str(tmp_path / "other"))
    drop_orders(other, f"orders_{day(2)}.csv", one_a_day(1, 2))
    run(lake, instance)
    tell_of_runs(lake, CATALOG, settings(server), instance, now())
    run(other, instance)

    told = tell_of_runs(lake, CATALOG, settings(server), instance, now())

    assert told == []
    assert (
        tell_of_runs(other, CATALOG, settings(server), instance, now()) == []
    )  # the failure of the first is none of its own
    assert list(read_book(lake).open["checks"]) == ["interim/orders: contract_holds"]


def test_a_look_with_a_clock_years_ahead_hides_no_later_failure(
    lake: Lake, instance: dg.DagsterInstance, server: Webhook
) -> None:
    drop_orders(lake, f"orders_{day(1)}.csv", one_a_day(1, 1))
    run(lake, instance)
    tell_of_runs(lake, CATALOG, settings(server), instance, now())
    tell_of_runs(lake, CATALOG, settings(server), instance, now() + timedelta(days=3000))
    drop_orders(lake, f"orders_{day(2)}.csv", BAD)
    run(lake, instance)

    [message] = tell_of_runs(lake, CATALOG, settings(server), instance, now())

    assert message.title == "interim/orders: check contract_holds failed"


def test_a_run_that_had_not_ended_at_one_look_is_read_at_a_later_one(
    lake: Lake, instance: dg.DagsterInstance, server: Webhook
) -> None:
    drop_orders(lake, f"orders_{day(1)}.csv", one_a_day(1, 1))
    slow = instance.add_run(dg.DagsterRun(job_name="daily_job", status=dg.DagsterRunStatus.STARTED))
    run(lake, instance)
    assert tell_of_runs(lake, CATALOG, settings(server), instance, now()) == []
    instance.report_run_failed(slow, message="no room on the node")

    [message] = tell_of_runs(lake, CATALOG, settings(server), instance, now())

    assert (message.title, "no room on the node" in message.body) == ("daily_job: run failed", True)


def test_a_refused_prediction_is_one_problem_with_the_advice_of_its_stage(
    tmp_path: Path, instance: dg.DagsterInstance, server: Webhook
) -> None:
    catalog, lake, _ = crowned_lake(tmp_path)
    dg.materialize(
        [prediction_asset(catalog, catalog.models[0])],
        resources={"lake": LakeResource(data_dir=lake.data_dir)},
        instance=instance,
        raise_on_error=False,
        tags={"dagster/asset_partition_range_start": f"{day(4)}", "dagster/asset_partition_range_end": f"{day(6)}"},
        run_config=SILENT,
    )
    tell_of_runs(lake, catalog, settings(server), instance, now())

    [message] = server.received
    lines = message["message"].splitlines()
    assert message["title"] == "predictions/returning: checks contract_holds, inputs_are_sound failed"
    assert lines[1] == "how many: 1 day: 2026-01-04"
    assert "learnt from labels up to 2026-01-05" in lines[2]
    assert "do what the objection says: build the features, or train; leave the day as it is" in lines[4]
    assert "mlpipe accept" not in message["message"]


@pytest.mark.parametrize(
    ("subject", "advice"),
    [
        ("raw/orders: files_are_readable", "`mlpipe accept SOURCE DATE --reason …`"),
        ("interim/orders: contract_holds", "`mlpipe accept SOURCE DATE --reason …`"),
        ("features/customer_features: contract_holds", "the SQL or the contract they name, then `mlpipe run`"),
        ("processed/repeat_purchase: label_is_no_feature", "the SQL or the contract they name, then `mlpipe run`"),
        ("models/repeat_purchase: thresholds_hold", "see the card of the version"),
        ("validation/repeat_purchase_golden: answers_are_the_same", "`mlpipe rollback`, or take the change back"),
        ("predictions/repeat_purchase: contract_holds", "do what the objection says"),
        ("monitoring/orders: nothing_drifts", "see monitoring/report.html"),
        ("elsewhere/table: holds", "fix the cause, then run again"),
    ],
)
def test_the_advice_fits_the_stage_and_only_sources_can_be_accepted(subject: str, advice: str) -> None:
    found = problem_of(CATALOG, "checks", subject, Standing(days=set(), text="", run_id="r", since=now()))

    assert advice in found.to_do
    assert ("mlpipe accept" in found.to_do) == subject.startswith(("raw", "interim"))


def test_checks_are_one_problem_where_they_fail_with_the_contract_in_one_run_for_the_same_days() -> None:
    def failed(run_id: str, *days: date, text: str = "it moved") -> Standing:
        return Standing(days=set(days), text=text, run_id=run_id, since=now())

    standing = {
        ("checks", "a/t: answers"): failed("r", day(1)),
        ("checks", "a/t: contract_holds"): failed("r", day(1), text="refused"),
        ("checks", "a/t: other_run"): failed("q", day(1)),
        ("checks", "a/t: other_days"): failed("r", day(2)),
        ("checks", "a/u: answers"): failed("r", day(1)),
        ("checks", "a/u: loads"): failed("r", day(1)),
        ("runs", "a/t"): failed("r", day(1)),
    }

    assert {p.key: (p.what, p.example) for p in problems_of(CATALOG, "checks", standing)} == {
        "a/t: contract_holds": ("checks contract_holds, answers failed", "it moved; refused"),
        "a/t: other_run": ("check other_run failed", "it moved"),
        "a/t: other_days": ("check other_days failed", "it moved"),
        "a/u: answers": ("check answers failed", "it moved"),
        "a/u: loads": ("check loads failed", "it moved"),
    }


def test_a_run_that_names_no_day_is_told_though_a_run_of_the_same_table_succeeds_before_the_look(
    lake: Lake, instance: dg.DagsterInstance, server: Webhook
) -> None:
    drop_orders(lake, f"orders_{day(1)}.csv", one_a_day(1, 2))
    resources = {"lake": LakeResource(data_dir=lake.data_dir), "engine": DuckDBEngine(), "executor": THREADS}
    dg.materialize([raw_asset(orders)], resources=resources, instance=instance, raise_on_error=False, run_config=SILENT)
    run(lake, instance)
    tell_of_runs(lake, CATALOG, settings(server), instance, now())
    tell_of_runs(lake, CATALOG, settings(server), instance, now())  # nothing new

    assert server.titles() == ["raw/orders: run failed", "healed: raw/orders: run failed"]
    assert "the run names no day" in server.received[0]["message"]
    assert read_book(lake).open == {}


def test_a_day_written_by_a_run_that_refuses_another_is_healed() -> None:
    standing = {("checks", "interim/orders: contract_holds"): Standing(days={day(1)}, text="", run_id="q", since=now())}
    first, second = (
        replace(result(passed, day(n)), scope="checks", subject="interim/orders: contract_holds")
        for passed, n in ((1, 1), (0, 2))
    )

    fold(standing, [first, second])

    assert [found.days for found in standing.values()] == [{day(2)}]


def result(passed: int, *days: date) -> RunResult:
    return RunResult(
        scope="runs",
        subject="interim/orders",
        days=days,
        passed=bool(passed),
        text="no",
        run_id="r",
        at=datetime(2026, 5, 1, tzinfo=UTC),
    )


@pytest.mark.parametrize(
    ("results", "left"),
    [
        ([result(0, day(1), day(2))], {day(1), day(2)}),
        ([result(0, day(1), day(2)), result(1, day(1))], {day(2)}),
        ([result(0, day(1), day(2)), result(1, day(1)), result(1, day(2), day(3))], None),
        ([result(0, day(1)), result(1, day(2))], {day(1)}),
        ([result(0, day(1)), result(0, day(2))], {day(1), day(2)}),
        ([result(0, day(1)), result(1)], None),  # a run without days makes up for all
        ([result(0), result(1, day(9))], None),
        ([result(1, day(1))], None),
    ],
)
def test_a_failure_stands_until_each_of_its_days_has_passed(results: list[RunResult], left: set[date] | None) -> None:
    standing: dict[tuple[str, str], Standing] = {}

    fold(standing, results)

    found = standing.get(("runs", "interim/orders"))
    assert (found.days if found else None) == left


def test_days_come_from_the_tags_of_a_run() -> None:
    assert days_of({"dagster/partition": "2026-01-02"}) == (day(2),)
    assert days_of(
        {"dagster/asset_partition_range_start": "2026-01-02", "dagster/asset_partition_range_end": "2026-01-03"}
    ) == (day(2), day(3))
    assert days_of({}) == days_of({"dagster/partition": "yesterday"}) == ()


def test_a_problem_says_where_to_read_on() -> None:
    standing = Standing(days={day(2)}, text="boom", run_id="0123456789", since=datetime(2026, 5, 1, tzinfo=UTC))

    assert problem_of(CATALOG, "runs", "interim/orders", standing).to_do == (
        "read run 01234567 in the UI, mend the cause, then `mlpipe run`"
    )
    assert problem_of(CATALOG, "checks", "interim/orders: contract_holds", standing).how_many == "1 day: 2026-01-02"


def test_a_warning_that_is_marked_to_be_told_is_told_like_an_error_and_no_other(
    lake: Lake, instance: dg.DagsterInstance, server: Webhook
) -> None:
    @dg.asset(
        key=["models", "returning"],
        check_specs=[dg.AssetCheckSpec(name, asset=["models", "returning"]) for name in ("challenger", "baselines")],
    )
    def model() -> Iterator[dg.AssetCheckResult | dg.Output[None]]:
        warn = dg.AssetCheckSeverity.WARN
        yield dg.AssetCheckResult(check_name="challenger", passed=False, severity=warn, metadata={TOLD: True})
        yield dg.AssetCheckResult(check_name="baselines", passed=False, severity=warn)
        yield dg.Output(None)

    dg.materialize([model], instance=instance, run_config=SILENT)
    tell_of_runs(lake, CATALOG, settings(server), instance, now())

    assert server.titles() == ["models/returning: check challenger failed"]
