"""What a person asks about a view: how each feature is made, what late rows do, and who uses it."""

from dataclasses import replace
from datetime import timedelta

from mlpipe_assets.catalog.aggregates import Aggregate, From
from mlpipe_assets.catalog.contents import CATALOG
from mlpipe_assets.catalog.feature_views import customer_features
from mlpipe_assets.catalog.view_facts import (
    Making,
    makings_of,
    models_using,
    spell_late,
    spell_ttl,
    spell_use,
    views_joining,
)
from mlpipe_assets_tests.catalog.by_hand import BY_HAND


def test_an_aggregate_is_its_function_of_a_column_over_its_window_and_some_rows() -> None:
    web = Aggregate("sum", "amount", name="web", days=(7, 30), where="channel = 'web'\n  and amount > 1")
    last = Aggregate("days_since_last", name="days_since_last_order")
    of = replace(customer_features, aggregates=(web, last), attributes=(From("customers", "age"),))
    view = replace(of, contract=customer_features.contract)

    made = makings_of(CATALOG, view)

    assert made["days_since_last_order"] == Making(function="days_since_last", of=("orders",), days=90)
    assert made["age"] == Making(function="newest", of=("customers.age",))
    assert str(made["age"]) == "age of customers"
    assert made["orders_7d"] == Making(function="SQL", of=())  # promised, and given by nothing
    whole = Making(function="sum", of=("orders.amount",), days=7, where=web.where)
    assert str(whole) == "sum of amount, where channel = 'web' and amount > 1"


def test_of_sql_the_columns_are_named_that_a_feature_comes_from_and_of_a_join_the_feature() -> None:
    by_hand = makings_of(CATALOG, BY_HAND)
    joined = makings_of(CATALOG, CATALOG.view("next_channel_features"))

    assert by_hand["revenue_7d"] == Making(function="SQL", of=("orders.amount", "orders.date"), days=90)
    assert str(joined["region"]) == "region of customer_features"
    assert joined["channel"] == Making(function="SQL", of=("orders.channel",), days=90)


def test_models_and_views_that_use_a_view_are_named() -> None:
    channels = CATALOG.view("channel_features")

    assert models_using(CATALOG, channels) == ("next_channel",)
    assert views_joining(CATALOG, channels) == ("next_channel_features",)
    assert spell_use(CATALOG, channels) == "next_channel; joined by next_channel_features"
    assert (
        spell_use(replace(CATALOG, feature_views=(customer_features,), models=(), monitors=()), customer_features)
        == "no model"
    )


def test_late_rows_and_the_age_of_a_row_are_told_in_words() -> None:
    then = replace(customer_features, late="as_known", settle=timedelta(hours=36), ttl=timedelta(days=2))

    assert spell_late(CATALOG, then) == "as known then: what came up to 36 hours after the end of a day counts in it"
    assert spell_late(CATALOG, customer_features).startswith("as corrected since: ")
    joined = "as corrected since, features of channel_features as known then: "
    assert spell_late(CATALOG, CATALOG.view("next_channel_features")).startswith(joined)
    assert (spell_ttl(then), spell_ttl(customer_features)) == ("for 2 days", "until the next")
