"""The view that is made of a model's features and spine, and what is said where none can be."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from mlpipe_assets.catalog.contents import CATALOG as SHOP
from mlpipe_assets.catalog.declarations import Catalog, FeatureView
from mlpipe_assets.catalog.models import next_channel, repeat_purchase
from mlpipe_assets.catalog.versions import model_version, view_version
from mlpipe_assets.errors import CatalogError

CATALOG = replace(SHOP, models=(next_channel,), monitors=())


def catalog_with(**changes: Any) -> Catalog:
    """The catalog with another declaration of its model."""
    return replace(CATALOG, models=(replace(next_channel, **changes),))


def test_the_view_has_the_spine_the_features_and_the_contract_without_the_label() -> None:
    view = CATALOG.model("next_channel").view

    assert isinstance(view, FeatureView)
    assert (view.name, view.entity.join_keys, view.inputs) == ("next_channel_features", ("customer_id",), ("orders",))
    assert (view.sql, view.joins, view.lookback) == (
        "features/next_channel_features.sql",
        next_channel.features,
        timedelta(days=90),
    )
    assert [*view.contract.to_schema().columns] == [*next_channel.contract.to_schema().columns][:-1]
    assert view.place == next_channel.place == CATALOG.model("next_channel").place


def test_a_catalog_made_again_of_itself_is_the_same() -> None:
    again = replace(CATALOG, monitors=())

    assert again.models == CATALOG.models
    assert again.feature_views == CATALOG.feature_views
    assert model_version(again, again.models[0]) == model_version(CATALOG, CATALOG.models[0])


def test_other_features_make_another_view_and_another_version() -> None:
    given = CATALOG.models[0]
    first, second, *others = given.features
    other = replace(CATALOG, models=(replace(given, features=(second, first, *others)),))

    assert len(other.feature_views) == len(CATALOG.feature_views)
    assert view_version(other, other.models[0].view) != view_version(CATALOG, given.view)
    assert view_version(other, other.feature_views[0]) == view_version(CATALOG, CATALOG.feature_views[0])


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"features": ("customer_feature:*",)}, "features: There is no feature view 'customer_feature'"),
        ({"features": ("customer_features:*", "channel_features:*")}, "orders_7d is no column of NextChannelFeatures"),
        ({"features": (), "spine": ""}, "it learns from nothing: write view=..., or features=("),
        (
            {"spine": ""},
            "by which channel_features is joined, is neither a feature taken nor a join key of customer_features",
        ),
        ({"features": "channel_features:*"}, "is a text, not a tuple of texts"),
        ({"spine": "none.sql"}, "there is no SQL file"),
        ({"view": repeat_purchase.view}, "it names a view, and features or a spine as well"),
    ],
)
def test_what_no_view_can_be_made_of_is_said_when_the_catalog_is_made(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(CatalogError) as raised:
        catalog_with(**changes)

    assert said in str(raised.value)
    assert "next_channel" in str(raised.value)
