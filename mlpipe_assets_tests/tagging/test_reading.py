"""Reads and trainings by a tag give what they gave when it was made."""

import json
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest

from mlpipe_assets.catalog.declarations import Catalog
from mlpipe_assets.cli import main
from mlpipe_assets.engines.registry import open_engine
from mlpipe_assets.errors import SettingsError, SqlError
from mlpipe_assets.project import Project
from mlpipe_assets.publish.warehouse import query
from mlpipe_assets.store.lake import Lake
from mlpipe_assets.store.tagged import at_tag
from mlpipe_assets.tagging.checkout import check_out, go_back
from mlpipe_assets.tagging.making import make_tag
from mlpipe_assets.tagging.own_lake import write_lake
from mlpipe_assets_tests.feature_lake import two_views, write_days
from mlpipe_assets_tests.frames import JAN_5, JAN_6, JAN_7
from mlpipe_assets_tests.planted_models import APRIL_30, plant_training_set
from mlpipe_assets_tests.stages.test_models import MODEL, build, of_catalog
from mlpipe_assets_tests.tagging.lakes import NOON

SPINE = pl.DataFrame(
    {"customer_id": ["ann"] * 2, "event_timestamp": [datetime(2026, 1, d, 12, tzinfo=UTC) for d in (6, 8)]}
)


@pytest.fixture
def catalog(tmp_path: Path) -> Catalog:
    return two_views(tmp_path / "sql")


@pytest.fixture
def tagged(lake: Lake, catalog: Catalog) -> Lake:
    """Features of two days, tagged; then one is corrected and a third comes."""
    write_days(lake, catalog, "spend", {JAN_5: [("ann", 1, 30)], JAN_6: [("ann", 2, 30)]})
    make_tag(lake, catalog, "v1", tables=[], message="", now=NOON, root=lake.root)
    write_days(lake, catalog, "spend", {JAN_5: [("ann", 10, 30)], JAN_7: [("ann", 30, 30)]})
    return lake


def orders_of(frame: pl.DataFrame) -> list[int]:
    return frame["orders_3d"].to_list()


def test_a_project_reads_a_table_as_it_is_and_as_a_tag_has_it(tagged: Lake, catalog: Catalog) -> None:
    project = Project(tagged.root, catalog=catalog)

    assert orders_of(project.read("features/spend")) == [10, 2, 30]
    assert orders_of(project.read("features/spend", tag="v1")) == [1, 2]
    assert orders_of(project.table("feats.spend", "2026-01-05", tag="v1")) == [1]
    assert orders_of(project.scan("features/spend", first=JAN_6, tag="v1").collect()) == [2]
    assert project.days("features/spend", tag="v1") == [JAN_5, JAN_6]
    assert project.sql("select count(*) as n from feats.spend", tag="v1").item() == 2
    with pytest.raises(SettingsError, match="There is no tag 'v2'; there are v1"):
        project.read("features/spend", tag="v2")
    with pytest.raises(SettingsError, match=r"Tag v1 does not pin interim/orders; it pins features/spend\."):
        project.read("interim/orders", tag="v1")


def test_features_by_a_tag_are_those_of_then(tagged: Lake, catalog: Catalog) -> None:
    project = Project(tagged.root, catalog=catalog)

    assert orders_of(project.features(["spend:*"], SPINE, tag="v1")) == [1, 2]
    assert orders_of(project.features(["spend:*"], SPINE)) == [10, 30]


def test_sql_by_a_tag_shows_what_it_pins_and_nothing_that_is_of_now(tagged: Lake, catalog: Catalog) -> None:
    lake, engine = at_tag(tagged, "v1"), open_engine("400MB")

    assert query(lake, engine, catalog, "select count(*), max(date) from feats.spend")[1] == [(2, JAN_6)]
    for other in ("raw.raw_events", "stg.orders", "meta.quarantine"):
        with pytest.raises(SqlError, match=r"Tables: feats\.spend\nTag v1 pins no other table\."):
            query(lake, engine, catalog, f"select * from {other}")


def test_the_commands_take_a_tag(
    lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MLPIPE_DATA_DIR", lake.data_dir)
    (lake.root / "meta" / "deliveries").mkdir(parents=True)
    day = lake.path("interim", "orders", JAN_5)
    lake.commit(lake.stage(day, pl.DataFrame({"order_id": ["o1"]}), {}))
    assert main(["tag", "v1", "--quiet"]) == 0
    lake.commit(lake.stage(day, pl.DataFrame({"order_id": ["o1", "o2"]}), {}))
    capsys.readouterr()

    assert main(["sql", "select count(*) as n from stg.orders", "--json", "--tag", "v1"]) == 0
    assert json.loads(capsys.readouterr().out) == [{"n": 1}]
    SPINE.write_parquet(tmp_path / "spine.parquet")
    out = f"{tmp_path / 'out.parquet'}"
    asked = [
        "features",
        "--spine",
        f"{tmp_path / 'spine.parquet'}",
        "--features",
        "customer_features:age",
        "--out",
        out,
    ]
    assert main([*asked, "--tag", "v1"]) == 2
    assert "Tag v1 does not pin features/customer_features" in capsys.readouterr().err
    assert main(["features", "--list", "--tag", "v1"]) == 2


@pytest.mark.long
def test_training_from_a_tag_gives_the_model_of_then(lake: Lake, tmp_path: Path) -> None:
    catalog = of_catalog(MODEL)
    plant_training_set(lake, APRIL_30)
    then = build(lake, APRIL_30).version
    made = make_tag(lake, catalog, "v1", tables=[], message="", now=NOON, root=lake.root)
    plant_training_set(lake, APRIL_30, mislabelled=True)
    now = build(lake, APRIL_30).version
    assert then is not None
    assert now is not None
    assert made.tag.about["models"][MODEL.name]["champion"]["file_digest"] == then.file_digest != now.file_digest

    check_out(lake, catalog, "v1", tables=[f"processed/{MODEL.name}"], now=NOON)
    assert digests(build(lake, APRIL_30).version) == digests(then)
    go_back(lake, catalog)
    assert digests(build(lake, APRIL_30).version) == digests(now)

    write_lake(lake, catalog, "v1", tmp_path / "own", tables=[], now=NOON)
    own = Lake(data_dir=str(tmp_path / "own"))
    (own.root / "models" / MODEL.name / then.version / "model.skops").unlink()
    assert digests(build(own, APRIL_30).version) == digests(then)


def digests(version: object) -> tuple[str, str, str]:
    """What a version is: its name, the digest of its file, and that of the training set."""
    return version.version, version.file_digest, version.training_digest  # type: ignore[attr-defined]
