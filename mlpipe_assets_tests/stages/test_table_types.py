"""What the UI shows of a table's contract."""

import dagster as dg
import pandera.polars as pa
import polars as pl
import pytest
from dagster_pandera import pandera_schema_to_dagster_type

from mlpipe_assets.contracts.customer_features import CustomerFeatures
from mlpipe_assets.contracts.customers import Customers
from mlpipe_assets.contracts.events import Events
from mlpipe_assets.contracts.orders import Orders
from mlpipe_assets.contracts.repeat_purchase import RepeatPurchase
from mlpipe_assets.definitions import CATALOG
from mlpipe_assets.pipeline import build_graph
from mlpipe_assets.rules import Contract
from mlpipe_assets.settings import read_settings
from mlpipe_assets.stages.table_types import column_schema, table_type
from mlpipe_assets.transforms.events import EVENT_SCHEMA


@pytest.mark.filterwarnings("ignore::dagster.BetaWarning")
@pytest.mark.parametrize("contract", [Orders, Customers, CustomerFeatures, RepeatPurchase, Events])
def test_the_type_says_what_dagster_pandera_reads_off_the_contract(contract: Contract) -> None:
    theirs = pandera_schema_to_dagster_type(contract).metadata["schema"].value
    assert isinstance(theirs, dg.TableSchema)

    ours = table_type(contract).metadata["schema"].value

    assert isinstance(ours, dg.TableSchema)
    assert [(c.name, c.constraints.nullable, c.constraints.unique, c.description) for c in ours.columns] == [
        (c.name, c.constraints.nullable, c.constraints.unique, c.description) for c in theirs.columns
    ]
    assert [len(c.constraints.other) for c in ours.columns] == [len(c.constraints.other) for c in theirs.columns]


def test_types_and_personal_columns_are_named_as_people_read_them() -> None:
    orders = {column.name: column for column in column_schema(Orders).columns}
    customers = {column.name: column for column in column_schema(Customers).columns}

    assert (orders["amount"].type, orders["order_ts"].type) == ("Decimal(18,2)", "Datetime (UTC)")
    assert orders["channel"].constraints.other == ["in [app, partner, store, web]"]
    assert [name for name, column in customers.items() if "personal" in column.tags] == ["email"]


def test_rules_over_several_columns_and_keys_are_shown_for_the_table() -> None:
    assert column_schema(CustomerFeatures).constraints.other == [
        "Every order of 7 days is one of 30 days, and every one of those is one of 90."
    ]
    assert column_schema(RepeatPurchase).constraints.other[0] == "unique: customer_id, as_of"


def test_the_type_takes_no_frame_because_the_gate_has_judged_it() -> None:
    kind = table_type(Orders)

    assert kind.display_name == "Orders"
    assert kind.is_nothing
    assert kind.type_check(None, None).success  # type: ignore[arg-type]
    assert not kind.type_check(None, pl.DataFrame({"order_id": ["O1"]})).success  # type: ignore[arg-type]


def test_two_contracts_of_one_name_get_two_types() -> None:
    def contract(column: str) -> Contract:
        return type("Twins", (pa.DataFrameModel,), {"__annotations__": {column: str}, "__module__": f"shop.{column}"})

    first, second = table_type(contract("left")), table_type(contract("right"))

    assert (first.unique_name, second.unique_name) == ("Twins", "shop_right_Twins")


def test_every_table_of_the_graph_has_the_type_of_its_contract() -> None:
    definitions = build_graph(CATALOG, read_settings())

    types = {
        definition.key.to_user_string(): definition.op.output_defs[0].dagster_type.display_name
        for definition in definitions.assets or []
        if isinstance(definition, dg.AssetsDefinition)
    }

    assert types == {
        "raw/orders": "Events",
        "raw/customers": "Events",
        "interim/orders": "Orders",
        "interim/customers": "Customers",
        "raw/serving_log": "Events",
        "interim/serving_log": "ServingLog",
        "features/customer_features": "CustomerFeatures",
        "features/channel_features": "ChannelFeatures",
        "features/next_channel_features": "NextChannelFeatures",
        "online/features": "Any",
        "validation/online_parity": "OnlineParity",
        "processed/repeat_purchase": "RepeatPurchase",
        "models/repeat_purchase": "ModelFiles",
        "validation/repeat_purchase_golden": "GoldenAnswers",
        "predictions/repeat_purchase": "RepeatPurchasePredictions",
        "predictions/repeat_purchase_served": "RepeatPurchasePredictionsServed",
        "processed/spend_28d": "Spend28d",
        "models/spend_28d": "ModelFiles",
        "validation/spend_28d_golden": "GoldenNumbers",
        "predictions/spend_28d": "Spend28dPredictions",
        "predictions/spend_28d_served": "Spend28dPredictionsServed",
        "monitoring/spend_28d": "DriftMeasurements",
        "processed/next_channel": "NextChannel",
        "models/next_channel": "ModelFiles",
        "validation/next_channel_golden": "GoldenClassAnswers",
        "predictions/next_channel": "NextChannelPredictions",
        "predictions/next_channel_served": "NextChannelPredictionsServed",
        "monitoring/next_channel": "DriftMeasurements",
        "monitoring/orders": "DriftMeasurements",
        "monitoring/customer_features": "DriftMeasurements",
        "monitoring/repeat_purchase": "DriftMeasurements",
        "monitoring/report": "Nothing",
        "meta/catalog": "Nothing",
    }


def test_events_on_disk_have_the_columns_of_their_contract_in_its_order() -> None:
    assert list(EVENT_SCHEMA) == [
        "source",
        "delivery",
        "source_file",
        "record_number",
        "event_date",
        "known_at",
        "payload",
    ]
