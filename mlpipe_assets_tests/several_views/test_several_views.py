"""A model of several views of two entities, from files to predictions, by the commands a person uses."""

from pathlib import Path

import polars as pl
import pytest

from mlpipe_assets.commands.feature_list import list_views
from mlpipe_assets.explain import explain
from mlpipe_assets.project import Project
from mlpipe_assets.sample import write_sample
from mlpipe_assets_tests.several_views.catalog import CATALOG

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The sample of a small shop, everything built."""
    root = tmp_path_factory.mktemp("several") / "data"
    write_sample(root, days=100, orders_per_day=40, customers=160)
    project = Project(root, catalog=CATALOG)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLPIPE_SETTLE_SECONDS", "0")
        built = project.run()
    assert {"features/next_channel_features", "predictions/next_channel"} <= {*built["table"]}
    return project


def test_each_row_has_the_features_of_its_day_from_every_view(project: Project) -> None:
    newest = project.days("features/next_channel_features")[-1]
    rows = project.read("features/next_channel_features", newest).drop("date")

    asked = [
        "customer_features:orders_30d",
        "customer_features:distinct_channels_30d",
        "customer_features:region",
        "channel_features:*",
    ]
    found = project.features(asked, rows.select("customer_id", "channel", "as_of"), event_time="as_of", as_of=False)

    assert rows.height > 100
    assert found.equals(rows)
    assert rows["channel_orders_90d"].null_count() == 0


def test_its_model_learns_predicts_and_says_which_views_it_is_of(project: Project) -> None:
    training = project.read("processed/next_channel")
    predictions = project.read("predictions/next_channel")

    assert CATALOG.model("next_channel").view is CATALOG.feature_views[-1]
    assert "label" not in project.read(
        "features/next_channel_features", project.days("features/next_channel_features")[-1]
    )
    assert {*training["split"].unique()} == {"train", "validation", "test"}
    assert {*training["label"].unique()} <= {"web", "app", "store", "partner"}
    assert predictions.height > 100
    assert predictions.select(pl.col("probability").is_between(0, 1).all()).item()


def test_a_prediction_is_explained_by_the_rows_of_every_view(project: Project) -> None:
    day = project.days("predictions/next_channel")[-1]
    rows = project.read("features/next_channel_features", day).filter(pl.col("region").is_not_null())
    lake, key = project._lake, rows["customer_id"][0]

    found = explain(lake, CATALOG, CATALOG.model("next_channel"), [key], day)

    assert {*found.rows} == {"interim/orders", "interim/customers"}
    assert [row["region"] for row in found.rows["interim/customers"]] == [rows["region"][0]]
    assert {view.view: view.models for view in list_views(lake, CATALOG)} == {
        "customer_features": ("next_channel",),
        "channel_features": ("next_channel",),
        "next_channel_features": ("next_channel",),
    }


def test_a_second_run_builds_nothing_and_a_damaged_day_is_built_again_through_the_join(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLPIPE_SETTLE_SECONDS", "0")
    assert project.run().is_empty()

    day = project.days("features/next_channel_features")[-1]
    before = project.read("features/next_channel_features", day)
    lake = Path(project._lake.data_dir)
    for name in ("channel_features", "next_channel_features"):
        (lake / "features" / name / f"date={day}" / "part.parquet").unlink()
    built = project.run()

    assert built["table"].to_list()[:2] == ["features/channel_features", "features/next_channel_features"]
    assert project.read("features/next_channel_features", day).equals(before)
