"""What daily assets show of themselves."""

import json
import warnings
from tempfile import TemporaryDirectory

import dagster as dg
import pytest
from dagster_pandera import pandera_schema_to_dagster_type

from mlpipe_assets.catalog.sources import orders
from mlpipe_assets.contracts.customer_features import CustomerFeatures
from mlpipe_assets.contracts.customers import Customers
from mlpipe_assets.contracts.orders import Orders
from mlpipe_assets.contracts.repeat_purchase import RepeatPurchase
from mlpipe_assets.resources.lake import Lake
from mlpipe_assets.rules import Contract
from mlpipe_assets.stages.daily import column_schema
from mlpipe_assets.stages.raw import raw_asset


@pytest.mark.parametrize("contract", [Orders, Customers, CustomerFeatures, RepeatPurchase])
def test_the_column_table_agrees_with_dagsters_own_reading_of_the_contract(contract: Contract) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", dg.BetaWarning)
        theirs = pandera_schema_to_dagster_type(contract).metadata["schema"].value
    assert isinstance(theirs, dg.TableSchema)

    ours = column_schema(contract)

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


def test_a_run_that_names_no_day_is_told_how_to(lake: Lake) -> None:
    with TemporaryDirectory() as folder, dg.DagsterInstance.ephemeral(tempdir=folder) as instance:
        result = dg.materialize([raw_asset(orders)], resources={"lake": lake}, instance=instance, raise_on_error=False)

    [failure] = [event.step_failure_data for event in result.all_events if event.is_step_failure]
    assert failure.error
    assert "raw/orders: the run names no day. Add --tags" in str(failure.error.cause or failure.error)


def test_a_run_that_is_refused_before_it_works_leaves_a_report_that_says_why(lake: Lake) -> None:
    with TemporaryDirectory() as folder, dg.DagsterInstance.ephemeral(tempdir=folder) as instance:
        result = dg.materialize(
            [raw_asset(orders)],
            resources={"lake": lake},
            instance=instance,
            tags={"dagster/partition": "2131-01-01"},
            raise_on_error=False,
            run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
        )

    report = json.loads((lake.root / "validation" / "reports" / f"{result.run_id}.json").read_text())
    assert not result.success
    assert report["validation_passed"] is False
    assert "partition 2131-01-01 does not exist" in report["errors"][0]
