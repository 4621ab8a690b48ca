"""Failed runs and checks are told off Dagster's records, whoever started the run, and healed day by day."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest

from mlpipe_assets.automation.run_alerts import Standing, Verdict, days_of, fold, problem_of, tell_of_runs
from mlpipe_assets.catalog.sources import orders
from mlpipe_assets.resources.alert_book import read_book
from mlpipe_assets.resources.engine import Engine
from mlpipe_assets.resources.lake import Lake
from mlpipe_assets.settings import Settings, read_settings
from mlpipe_assets.stages.interim import interim_asset
from mlpipe_assets.stages.model_checks import TOLD
from mlpipe_assets.stages.raw import raw_asset
from mlpipe_assets_tests.planted import day, drop_orders, one_a_day
from mlpipe_assets_tests.webhook import Webhook

BAD = [(f"x{i}", "ann", day(2), "-1.00", "web") for i in range(30)]


def now() -> datetime:
    return datetime.now(tz=UTC)


def settings(server: Webhook) -> Settings:
    return replace(read_settings({}), alert_urls=(server.url,))


def run(lake: Lake, instance: dg.DagsterInstance) -> str:
    """One run over the first two days, as the command line makes it: no daemon, no sensor knows of it."""
    tags = {"dagster/asset_partition_range_start": f"{day(1)}", "dagster/asset_partition_range_end": f"{day(2)}"}
    result = dg.materialize(
        [raw_asset(orders), interim_asset(orders)],
        resources={"lake": lake, "engine": Engine()},
        instance=instance,
        raise_on_error=False,
        tags=tags,
        run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
    )
    return result.run_id


def test_a_failed_check_is_told_once_and_again_when_it_passes(
    lake: Lake, instance: dg.DagsterInstance, server: Webhook
) -> None:
    drop_orders(lake, f"orders_{day(1)}.csv", one_a_day(1, 1))
    drop_orders(lake, f"orders_{day(2)}.csv", BAD)
    run_id = run(lake, instance)
    tell_of_runs(lake, settings(server), instance, now())
    tell_of_runs(lake, settings(server), instance, now())  # nothing new
    run(lake, instance)  # fails the same way
    tell_of_runs(lake, settings(server), instance, now())

    [broken] = server.received
    assert broken["title"] == "interim/orders: check contract_holds failed"
    lines = broken["message"].splitlines()
    assert lines[1] == "how many: 2 days: 2026-01-01 to 2026-01-02"
    assert "30 of 30 rows refused, 20 tolerated" in lines[2]
    assert lines[4].startswith(f"what to do: read validation/reports/{run_id}.json; correct and deliver the file again")

    drop_orders(lake, f"orders_{day(2)}.csv", one_a_day(2, 2))
    run(lake, instance)
    tell_of_runs(lake, settings(server), instance, now())

    assert server.titles()[1:] == ["healed: interim/orders: check contract_holds failed"]


def test_a_run_that_fails_without_a_check_is_told_with_its_error(
    lake: Lake, instance: dg.DagsterInstance, server: Webhook, monkeypatch: pytest.MonkeyPatch
) -> None:
    drop_orders(lake, f"orders_{day(2)}.csv", one_a_day(1, 2))

    def break_down(*_: object, **__: object) -> None:
        raise ValueError("the disk said no")

    with monkeypatch.context() as broken:
        broken.setattr("mlpipe_assets.stages.interim.build_interim", break_down)
        run(lake, instance)
    tell_of_runs(lake, settings(server), instance, now())

    [message] = server.received
    assert message["title"] == "interim/orders: run failed"
    assert "example: ValueError: the disk said no" in message["message"]

    run(lake, instance)
    tell_of_runs(lake, settings(server), instance, now())
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
        tell_of_runs(lake, settings(server), instance, now())
        told = tell_of_runs(lake, settings(server), other, now() + timedelta(minutes=5))

    assert told == []  # known already
    assert server.titles() == ["interim/orders: check contract_holds failed"]
    assert len(read_book(lake).seen["runs"]["places"]) == 2


def verdict(passed: int, *days: date) -> Verdict:
    return Verdict(
        scope="runs",
        subject="interim/orders",
        days=days,
        passed=bool(passed),
        text="no",
        run_id="r",
        at=datetime(2026, 5, 1, tzinfo=UTC),
    )


@pytest.mark.parametrize(
    ("verdicts", "left"),
    [
        ([verdict(0, day(1), day(2))], {day(1), day(2)}),
        ([verdict(0, day(1), day(2)), verdict(1, day(1))], {day(2)}),
        ([verdict(0, day(1), day(2)), verdict(1, day(1)), verdict(1, day(2), day(3))], None),
        ([verdict(0, day(1)), verdict(1, day(2))], {day(1)}),
        ([verdict(0, day(1)), verdict(0, day(2))], {day(1), day(2)}),
        ([verdict(0, day(1)), verdict(1)], None),  # a run without days makes up for all
        ([verdict(0), verdict(1, day(9))], None),
        ([verdict(1, day(1))], None),
    ],
)
def test_a_failure_stands_until_each_of_its_days_has_passed(verdicts: list[Verdict], left: set[date] | None) -> None:
    standing: dict[tuple[str, str], Standing] = {}

    fold(standing, verdicts)

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

    assert problem_of("runs", "interim/orders", standing).to_do == (
        "read run 01234567 in the UI, mend the cause, then `mlpipe run`"
    )
    assert problem_of("checks", "interim/orders: contract_holds", standing).how_many == "1 day: 2026-01-02"


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

    silent = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
    dg.materialize([model], instance=instance, run_config=silent)
    tell_of_runs(lake, settings(server), instance, now())

    assert server.titles() == ["models/returning: check challenger failed"]
