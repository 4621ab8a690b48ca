"""What the pages of the feature assets say of their views."""

from datetime import UTC, datetime

import dagster as dg
import pytest

from mlpipe_assets.catalog.contents import CATALOG
from mlpipe_assets.catalog.declarations import FeatureView
from mlpipe_assets.serving.snapshots.snapshot import PublishedView
from mlpipe_assets.stages.features.asset import feature_asset
from mlpipe_assets.stages.features.pages import page_of_online, page_of_view, published_table
from mlpipe_assets.stages.online.asset import online_asset


def rows_of(value: object) -> list[dict[str, object]]:
    assert isinstance(value, dg.TableMetadataValue)
    return [dict(record.data) for record in value.records]


def texts_of(page: dict[str, dg.MetadataValue]) -> dict[str, str]:
    return {name: value.text or "" for name, value in page.items() if isinstance(value, dg.TextMetadataValue)}


def test_the_page_of_a_view_says_how_each_feature_is_made_and_what_holds_for_all_of_them() -> None:
    view = CATALOG.view("channel_features")

    page = page_of_view(CATALOG, view)

    assert rows_of(page["features"]) == [
        {"feature": "channel_orders_7d", "made by": "count of orders", "window": "7d"},
        {"feature": "channel_orders_30d", "made by": "count of orders", "window": "30d"},
        {"feature": "channel_revenue_30d", "made by": "sum of amount", "window": "30d"},
    ]
    assert texts_of(page) == {
        "entity": "customer_channel (customer_id, channel)",
        "past_days": "as known then: what came up to 6 hours after the end of a day counts in it",
        "a_row_holds": "until the next",
        "fresh_within": "30 hours",
        "used_by": "next_channel; joined by next_channel_features",
    }
    shown = feature_asset(CATALOG, view).metadata_by_key[dg.AssetKey(["features", "channel_features"])]
    assert shown["features"] == page["features"]


def test_the_page_of_the_snapshot_says_by_which_keys_each_view_is_asked() -> None:
    page = page_of_online(CATALOG)

    assert [(row["view"], row["asked by"]) for row in rows_of(page["views"])] == [
        ("customer_features", "customer_id"),
        ("channel_features", "customer_id, channel"),
        ("next_channel_features", "customer_id"),
    ]
    assert online_asset(CATALOG).metadata_by_key[dg.AssetKey(["online", "features"])]["views"] == page["views"]


def test_a_snapshot_is_told_view_by_view() -> None:
    view = PublishedView(
        name="spend",
        join_keys=("customer_id",),
        key_types=("text",),
        features=("orders_3d",),
        as_of=datetime(2026, 1, 3, tzinfo=UTC).isoformat(),
        version="v",
        rows=1234,
        ttl_seconds=None,
    )

    assert rows_of(published_table([view])) == [{"view": "spend", "entities": "1,234", "as of": "2026-01-03"}]


@pytest.mark.parametrize("view", CATALOG.feature_views, ids=lambda view: view.name)
def test_no_table_is_wider_than_the_page_shows(view: FeatureView) -> None:
    """A cell is broken at spaces only, so the longest words of all columns have to fit beside each other."""
    for page in (page_of_view(CATALOG, view), page_of_online(CATALOG)):
        for value in page.values():
            if isinstance(value, dg.TableMetadataValue):
                rows = rows_of(value)
                longest = {name: max(len(word) for row in rows for word in f"{row[name]}".split()) for name in rows[0]}
                assert sum(longest.values()) <= 52, longest
