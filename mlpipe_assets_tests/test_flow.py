"""The one list of tables: in flow order, and enough to add a stage by."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest

from mlpipe_assets import flow
from mlpipe_assets.automation.catch_up import catch_up
from mlpipe_assets.automation.freshness import freshness_of
from mlpipe_assets.automation.pending import pending
from mlpipe_assets.automation.problems import problems_now
from mlpipe_assets.automation.run_alerts import tell_of_runs
from mlpipe_assets.automation.schedules import day_to_build
from mlpipe_assets.automation.stale import look_for_stale_days
from mlpipe_assets.catalog.contents import CATALOG
from mlpipe_assets.engines.duckdb_engine import DuckDBEngine
from mlpipe_assets.flow import STAGES, tables_of, written_folders
from mlpipe_assets.pipeline import build_definitions, build_graph
from mlpipe_assets.project import Project
from mlpipe_assets.publish.warehouse import query
from mlpipe_assets.settings import read_settings
from mlpipe_assets.stages.features.asset import build_features
from mlpipe_assets.status import partitions
from mlpipe_assets.verification import verify
from mlpipe_assets_tests import own_stage
from mlpipe_assets_tests.frames import refuse
from mlpipe_assets_tests.own_stage import CROWD, sizes
from mlpipe_assets_tests.planted import day, materialize, one_a_day, planted_catalog, planted_lake, publish_online


def test_every_table_comes_after_those_it_is_made_of() -> None:
    seen: set[str] = set()

    for table in tables_of(CATALOG):
        assert seen.issuperset(table.upstream), table.key
        seen.add(table.key)

    assert len(seen) == len(tables_of(CATALOG))


def test_the_assets_of_the_tables_are_the_asset_graph_and_depend_as_the_tables_say() -> None:
    made = {table.key: table.make() for table in tables_of(CATALOG)}

    assert {key: asset.key.to_user_string() for key, asset in made.items()} == {key: key for key in made}
    for table in tables_of(CATALOG):
        deps = {dep.asset_key.to_user_string() for spec in made[table.key].specs for dep in spec.deps}
        assert deps >= set(table.upstream), table.key


def test_a_stage_of_ones_own_is_one_module_and_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flow, "STAGES", {**STAGES, "sizes": sizes})
    monkeypatch.setenv("MLPIPE_DATA_DIR", str(tmp_path / "data"))
    catalog = planted_catalog(tmp_path / "sql")
    lake = planted_lake(tmp_path / "data", catalog, one_a_day(1, 3, ("ann", "bob")))
    build_features(lake, DuckDBEngine(), catalog, catalog.feature_views[0], [day(1), day(2), day(3)])
    publish_online(lake, catalog)

    def behind() -> dict[str, list[str]]:
        works = pending(lake, catalog, lambda _: True)
        return {work.table: [f"{d}" for d in work.days] for work in works if work.days}

    assert behind() == {"sizes/spend": [f"{day(n)}" for n in (1, 2, 3)]}
    assert [wish.table for stage in look_for_stale_days(lake, catalog).stages for wish in stage] == ["sizes/spend"]
    assert day_to_build(lake, catalog, day(3)) == day(3)
    with dg.DagsterInstance.ephemeral(tempdir=str(tmp_path)) as instance:
        summary = catch_up(lake, catalog, lambda: (build_graph(catalog, read_settings()), instance), lambda _: True)
    assert summary.tables["sizes/spend"].days == [day(1), day(2), day(3)]
    assert summary.errors == []
    assert behind() == {}
    assert day_to_build(lake, catalog, day(3)) == f"{day(3)} is built"
    now = datetime.combine(day(4), datetime.min.time(), tzinfo=UTC) + timedelta(hours=31)
    assert {t.table: t.state for t in freshness_of(lake, catalog, now)}["sizes/spend"] == "fresh"
    assert [p.date for p in partitions(lake, catalog) if p.table == "sizes/spend"] == [day(1), day(2), day(3)]
    assert query(lake, DuckDBEngine(), catalog, "select sum(entities) from sizes.spend")[1] == [(6,)]
    assert Project(lake.root, catalog=catalog).read("sizes.spend", day(2))["entities"].to_list() == [2]
    definitions = build_definitions(catalog)
    job = definitions.resolve_job_def("daily_job")
    assert dg.AssetKey(["sizes", "spend"]) in job.asset_layer.executable_asset_keys


def test_what_goes_wrong_in_a_stage_of_ones_own_is_reported_with_its_advice_and_healed_day_by_day(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(flow, "STAGES", {**STAGES, "sizes": sizes})
    catalog = planted_catalog(tmp_path / "sql")
    crowd = tuple("abcdefg"[:CROWD])
    lake = planted_lake(tmp_path / "data", catalog, one_a_day(1, 2, crowd))
    build_features(lake, DuckDBEngine(), catalog, catalog.feature_views[0], [day(1), day(2)])
    settings = read_settings({"MLPIPE_DATA_DIR": str(lake.root)})
    now = datetime.now(tz=UTC)

    def reported() -> list[tuple[str, str, str]]:
        return [(p.what, p.how_many, p.to_do.partition("; ")[2]) for p in problems_now(lake, catalog, now)["checks"]]

    with dg.DagsterInstance.ephemeral(tempdir=str(tmp_path)) as instance:

        def run(number: int) -> list[str]:
            build_graph(catalog, settings).resolve_job_def("daily_job").execute_in_process(
                instance=instance,
                asset_selection=[dg.AssetKey(["sizes", "spend"])],
                tags={"dagster/partition": f"{day(number)}"},
                raise_on_error=False,
            )
            return [message.title for message in tell_of_runs(lake, catalog, settings, instance, now)]

        assert run(1) == ["sizes/spend: check contract_holds failed"]
        assert reported() == [("check contract_holds failed", f"1 day: {day(1)}", "send some of them away")]
        monkeypatch.setattr(own_stage, "CROWD", CROWD + 1)
        assert run(2) == []
        assert reported() == [("check contract_holds failed", f"1 day: {day(1)}", "send some of them away")]
        run(1)
    assert "checks" not in problems_now(lake, catalog, now)


def test_a_refused_day_of_a_stage_of_ones_own_is_reported_where_no_run_is_on_record(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(flow, "STAGES", {**STAGES, "sizes": sizes})
    catalog = planted_catalog(tmp_path / "sql")
    lake = planted_lake(tmp_path / "data", catalog, one_a_day(1, 1))
    refuse(lake, "sizes", "spend", day(1), problem="3 are a crowd", inputs="x")

    [problem] = problems_now(lake, catalog, datetime.now(tz=UTC))["checks"]

    assert (problem.where, problem.example, problem.to_do) == (
        "sizes/spend",
        f"[{day(1)}] 3 are a crowd",
        "send some of them away",
    )


def test_verify_knows_what_a_damaged_day_of_a_stage_of_ones_own_is_built_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(flow, "STAGES", {**STAGES, "sizes": sizes})
    catalog = planted_catalog(tmp_path / "sql")
    lake = planted_lake(tmp_path / "data", catalog, one_a_day(1, 2))
    view = catalog.feature_views[0]
    build_features(lake, DuckDBEngine(), catalog, view, [day(1), day(2)])
    materialize(own_stage.sizes_asset(view), lake, day(1), day(2))
    (lake.root / "sizes" / "spend" / f"date={day(1)}" / "stray.parquet").write_bytes(b"")

    def wrong() -> list[tuple[str, bool, str]]:
        found = verify(lake, catalog, None, lambda _: None).wrong
        return [(one.path, one.again, one.to_do) for one in found if one.path.startswith("sizes/")]

    stray = (f"sizes/spend/date={day(1)}/stray.parquet", False, "Find out who did; if nobody needs it, delete it.")
    part = f"sizes/spend/date={day(2)}/part.parquet"
    (lake.root / part).write_bytes(b"")
    assert wrong() == [(part, True, "Next: mlpipe run; it is built again."), stray]

    [events] = (lake.root / "raw" / "_events" / "orders" / f"date={day(2)}").glob("*.parquet")
    (lake.root / "raw" / "orders" / "orders_2026-06-30.csv").unlink()
    for path in (events, lake.path("interim", "orders", day(2)), lake.path("features", "spend", day(2))):
        path.write_bytes(b"")
    lost = f"It is built from {events.relative_to(lake.root)}, so bring that back first, then: mlpipe run."
    assert wrong() == [(part, False, lost), stray]


def test_the_folders_we_write_are_those_of_the_stages_and_none_is_the_drop_zone() -> None:
    assert written_folders() == (
        *(
            "raw/_events",
            "interim",
            "features",
            "online",
            "processed",
            "models",
            "validation",
            "predictions",
            "monitoring",
        ),
        "meta",
    )
