"""The next channel, a model of several views of two entities: from files to predictions, by the commands a person uses."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from mlpipe_assets.catalog.columns import columns_of
from mlpipe_assets.catalog.contents import CATALOG as SHOP
from mlpipe_assets.catalog.models import next_channel
from mlpipe_assets.commands.feature_list import list_views
from mlpipe_assets.engines.duckdb_engine import DuckDBEngine
from mlpipe_assets.explain.explaining import explain
from mlpipe_assets.project import Project
from mlpipe_assets.sample import write_sample
from mlpipe_assets_tests.serving.asking import serving

pytestmark = [pytest.mark.slow, pytest.mark.long]

CATALOG = replace(SHOP, models=(next_channel,), monitors=())


DAY = date(2026, 5, 1)


def orders(*placed: tuple[str, int, int, str]) -> pl.DataFrame:
    """Orders by customer, days after 1 May, hour and channel."""
    rows = [
        (
            who,
            DAY + timedelta(days=after),
            datetime(2026, 5, 1, hour, tzinfo=UTC) + timedelta(days=after),
            f"O{n}",
            channel,
        )
        for n, (who, after, hour, channel) in enumerate(placed)
    ]
    schema = pl.Schema(
        {
            "customer_id": pl.String(),
            "date": pl.Date(),
            "order_ts": pl.Datetime("us", "UTC"),
            "order_id": pl.String(),
            "channel": pl.String(),
        }
    )
    return pl.DataFrame(rows, schema=schema, orient="row")


def test_a_customer_is_asked_about_in_the_channel_of_the_newest_order_for_90_days() -> None:
    placed = orders(
        ("ann", -89, 8, "web"),
        ("bob", -90, 8, "web"),
        ("cid", -3, 9, "app"),
        ("cid", -3, 8, "web"),
        ("cid", 1, 8, "store"),
    )
    days = pl.DataFrame({"day": [DAY, DAY + timedelta(days=1)]})

    sql = CATALOG.read_sql(next_channel.spine)
    found = DuckDBEngine().select(sql, {"orders": placed, "days": days}, {"start": DAY, "end": DAY + timedelta(days=1)})

    assert found.with_columns(pl.col("as_of").dt.date()).rows() == [
        ("ann", "web", date(2026, 5, 2)),
        ("cid", "app", date(2026, 5, 2)),
        ("cid", "store", date(2026, 5, 3)),
    ]


def test_the_label_is_the_channel_of_the_first_order_of_the_horizon() -> None:
    placed = orders(
        *[("ann", 0, 8, "web"), ("ann", 1, 9, "app"), ("ann", 1, 8, "store"), ("ann", 2, 8, "web")],
        *[("bob", 28, 23, "partner"), ("cid", 29, 0, "app")],
    )
    described = CATALOG.model("next_channel").view.contract
    rows = [
        {"customer_id": who, "channel": "web", "as_of": datetime(2026, 5, 2, tzinfo=UTC)}
        for who in ("ann", "bob", "cid")
    ]
    features = pl.DataFrame(rows, schema=columns_of(described)[0]).with_columns(date=pl.lit(DAY))

    found = DuckDBEngine().select(
        CATALOG.read_sql(next_channel.sql), {"features": features, "orders": placed}, {"horizon": 28}
    )

    assert found.select("customer_id", "label").rows() == [("ann", "store"), ("bob", "partner")]


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
    whole = project.read("features/next_channel_features", newest).drop("date")
    used = pl.col(
        "channel_orders_30d"
    ).is_not_null()  # of other channels a join finds an older row, of when they were used
    rows = whole.filter(used)

    asked = [
        "customer_features:orders_30d",
        "customer_features:distinct_channels_30d",
        "customer_features:age",
        "customer_features:region",
        "channel_features:*",
    ]
    found = project.features(asked, rows.select("customer_id", "channel", "as_of"), event_time="as_of", as_of=False)

    assert 50 < rows.height < whole.height
    assert found.equals(rows)


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


def test_its_champion_says_online_what_it_says_in_batch_and_of_an_entity_it_does_not_know_nothing(
    project: Project,
) -> None:
    day = project.days("predictions/next_channel")[-1]
    batch = project.read("predictions/next_channel", day).sort("customer_id")
    who = batch["customer_id"].to_list()
    asked = serving(project._lake, CATALOG)

    answer = asked.post("/predict/next_channel", {"entities": {"customer_id": [*who, "nobody"]}}).json()

    *known, unknown = answer["results"]
    assert {one["status"] for one in known} == {"PRESENT"}
    assert [one["entity"] for one in known] == [{"customer_id": one} for one in who]
    assert {one["as_of"] for one in known} == {f"{day + timedelta(days=1)}T00:00:00Z"}
    assert [(one["prediction"], one["probability"]) for one in known] == batch.select(
        "prediction", "probability"
    ).rows()
    assert (unknown["status"], unknown["prediction"], unknown["probability"]) == ("NOT_FOUND", None, None)
    assert {answer["metadata"][name] for name in ("model_version", "feature_version")} == {
        *batch["model_version"].unique(),
        *batch["feature_version"].unique(),
    }


def test_the_features_it_takes_are_asked_by_its_name_and_are_those_of_each_view(project: Project) -> None:
    day = project.days("features/next_channel_features")[-1]
    described = project.read("features/next_channel_features", day)
    rows = described.filter(pl.col("channel_orders_30d").is_not_null()).head(5)
    who, channels = rows["customer_id"].to_list(), rows["channel"].to_list()
    asked = serving(project._lake, CATALOG)

    of_model = asked.post(
        "/get-online-features", {"feature_service": "next_channel", "entities": {"customer_id": who}}
    ).json()
    names = of_model["metadata"]["feature_names"]
    of_view = asked.features("channel_features:*", customer_id=who, channel=channels).json()

    assert sorted(names) == sorted(name for name in rows.columns if name not in ("as_of", "date"))
    taken = dict(zip(names, (result["values"] for result in of_model["results"]), strict=True))
    held = dict(zip(of_view["metadata"]["feature_names"], (r["values"] for r in of_view["results"]), strict=True))
    assert {name: taken[name] for name in held} == held


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
