"""A catalog that does not hold together: every reason at once, each with the place of its declaration."""

from dataclasses import fields, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pandera.polars as pa
import pytest

from mlpipe_assets.catalog.contents import CATALOG
from mlpipe_assets.catalog.declarations import Catalog, Entity, FeatureView, Model, Monitor, Source, Tolerance
from mlpipe_assets.catalog.feature_views import customer_features
from mlpipe_assets.catalog.feeds import DatabaseTable, Files, HttpApi
from mlpipe_assets.catalog.learners import Learner, Promotion
from mlpipe_assets.catalog.models import repeat_purchase
from mlpipe_assets.catalog.sources import customers, orders
from mlpipe_assets.catalog.validation import shapes
from mlpipe_assets.contracts.orders import Orders
from mlpipe_assets.errors import CatalogError
from mlpipe_assets.readers.options import Limits
from mlpipe_assets.settings import PROJECT_ROOT
from mlpipe_assets_tests.catalog.by_hand import BY_HAND


def reasons(**changed: Any) -> list[str]:
    """What is wrong with the built-in catalog after a change, without the places."""
    with pytest.raises(CatalogError, match=r"^The catalog does not hold together: ") as raised:
        replace(CATALOG, **changed)
    return [problem.partition(": ")[2] for problem in raised.value.problems]


class WithoutProvenance(pa.DataFrameModel):
    """A contract that forgot to inherit Sourced."""

    order_id: str


class Unreadable(pa.DataFrameModel):
    """A contract with an annotation that is no type of a column."""

    order_id: "NoSuchType"  # type: ignore[name-defined]  # noqa: F821


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"event_time": "order_t"}, "event_time: 'order_t' is no column of Orders. Is 'order_ts' meant?"),
        ({"event_time": "amount"}, "is Decimal(precision=18, scale=2) in Orders, not a time or a date"),
        ({"key": "order_id"}, "key='order_id' is a text, not a tuple of texts: write (\"order_id\",) with the comma"),
        ({"key": ()}, "key=() is empty; name at least one"),
        ({"key": ("ordre_id",)}, "key: 'ordre_id' is no column of Orders. Is 'order_id' meant?"),
        ({"key": ("order_id", "order_id")}, "key names a column twice: order_id, order_id"),
        ({"contract": "Orders"}, "contract='Orders' is not a contract"),
        (
            {"contract": WithoutProvenance},
            "contract: 'known_at' is no column of WithoutProvenance; let it inherit Sourced",
        ),
        ({"contract": Unreadable}, "the contract Unreadable ("),
        ({"dedupe_within": 7}, "dedupe_within=7 is not a length of time: write timedelta(days=7)"),
        ({"dedupe_within": timedelta(days=-1)}, "dedupe_within=datetime.timedelta(days=-1) is negative"),
        ({"tolerance": 0.01}, "tolerance=0.01 is no Tolerance"),
        ({"tolerance": Tolerance(share=5)}, "tolerance.share=5 is not a number from 0 to 1"),
        ({"time_zone": "Europe/Berlinn"}, "time_zone='Europe/Berlinn' is no time zone"),
        ({"feed": Files(known_at=r"\d+")}, "has no group"),
        ({"feed": Files(known_at="(")}, "is not a regular expression"),
        ({"time_formats": "%d.%m.%Y"}, "time_formats='%d.%m.%Y' is a text, not a tuple of texts"),
        ({"time_formats": ("%d.%m.%Y", "%Q")}, "'%Q' is no directive of strptime"),
        ({"time_formats": ("%d.%m",)}, "2026-11-23 is written '23.11' and read as 0001-11-23"),
        ({"time_formats": ("%Y-%m",)}, "2026-11-23 is written '2026-11' and read as 2026-11-01"),
        ({"time_formats": ("%H:%M",)}, "says no whole date, with year, month and day"),
        ({"time_formats": ("ISO 8601",)}, "says no whole date, with year, month and day"),
        ({"time_formats": ("%d.%m.%Y %H",)}, "cannot be read: Please either specify both hour and minute, or neither."),
        ({"time_formats": ("%d.%m.%Y %Z",)}, "%Z reads the name of a zone and takes no notice of it"),
        ({"time_formats": ("%d.%m.%Y %T,%f",)}, "%f alone does not say how long the fraction is"),
        ({"time_formats": ("%d.%m.%Y", "%d.%m.%Y")}, "names '%d.%m.%Y' twice"),
        ({"feed": Files(delimiter=";;")}, "feed.delimiter=';;' is not one character"),
        ({"ahead_within": 1}, "ahead_within=1 is not a length of time"),
        ({"ahead_within": timedelta(days=-1)}, "ahead_within=datetime.timedelta(days=-1) is negative"),
        ({"feed": Files(records=("data",))}, "feed.records=('data',) is not a path of names"),  # type: ignore[arg-type]
        ({"feed": Files(records="result..items")}, "feed.records='result..items' is not a path of names"),
        ({"feed": Files(limits=100_000)}, "feed.limits=100000 is no Limits"),  # type: ignore[arg-type]
        ({"feed": Files(limits=Limits(refused=-1))}, "feed.limits.refused=-1 is not a number of 0 or more"),
        ({"feed": Files(limits=Limits(columns=2.5))}, "feed.limits.columns=2.5 is not a whole number"),  # type: ignore[arg-type]
        (
            {"feed": "data/raw/orders"},
            "feed='data/raw/orders' is no feed: write Files(...), DatabaseTable(...), HttpApi(...), KafkaTopic(...) or NatsStream(...)",
        ),
        ({"feed": Files(lines=r"(\S+) x")}, "must name its groups, which are the columns: (?P<user>\\S+)"),
        ({"feed": Files(lines=r"(?P<a>x)(?=y)")}, "is not a regular expression as Rust reads them"),
        (
            {"feed": HttpApi(url="https://ann:s3cret@shop.example/orders", newer_by="changed_at")},
            "feed.url=… must begin with https:// (or be of localhost) and hold no user and no secret",
        ),
        (
            {"feed": HttpApi(url="https://shop.example/orders")},
            "feed has no newer_by, so it takes the whole table each day",
        ),
        (
            {"feed": DatabaseTable(url="postgresql://ann:s3cret@db/shop", table="orders", newer_by="changed_at")},
            "feed.url=… must be the name of an environment variable that holds it, such as SHOP_DATABASE_URL",
        ),
        (
            {"feed": DatabaseTable(url="SHOP", table="orders")},
            "feed has no newer_by, so it takes the whole table each day",
        ),
        (
            {"feed": DatabaseTable(url="SHOP", table="orders", newer_by="id", overlap=-1)},
            "feed.overlap=-1 is not a number of 0 or more",
        ),
        (
            {"feed": DatabaseTable(url="SHOP", table="orders", newer_by="id"), "event_time": None},
            "and a source without event_time is the whole table each time: leave it away",
        ),
        ({"prepare": "prepare"}, "prepare='prepare' is not a function"),
        ({"empty_days": "no"}, "empty_days='no' is neither True nor False"),
        ({"owners": ("data team",)}, "owners=('data team',) must be mail addresses or team:name"),
        ({"name": "Card payments"}, "the name must be of a-z, 0-9 and _"),
        ({"name": "../payments"}, "the name must be of a-z, 0-9 and _"),
        ({"name": "order"}, "the name is a reserved word of SQL"),
    ],
)
def test_a_field_of_a_source_that_cannot_be_is_named(wrong: dict[str, Any], said: str) -> None:
    (found, *_) = reasons(sources=(replace(orders, **wrong), customers), feature_views=(), models=(), monitors=())

    assert said in found


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"lookback": timedelta(days=-90)}, "is negative"),
        ({"lookback": timedelta(0)}, "its SQL needs a lookback: write lookback=timedelta(days=90)"),
        ({"sql": ""}, 'it declares nothing: write source="orders", aggregates='),
        ({"lookback": timedelta(hours=36)}, "is not a number of whole days"),
        ({"ttl": timedelta(0)}, "is no time at all: a row would be too old at once"),
        ({"ttl": 7}, "ttl=7 is not a length of time: write timedelta(days=7)"),
        ({"inputs": ("ordres",)}, "input 'ordres' is no source; there are customers, orders"),
        ({"inputs": "orders"}, "inputs='orders' is a text, not a tuple of texts"),
        ({"inputs": ()}, "inputs is empty"),
        ({"sql": "features/none.sql"}, f"there is no SQL file {PROJECT_ROOT / 'sql/features/none.sql'}"),
        (
            {"entity": Entity(name="customer", join_keys=("customer",))},
            "contract: 'customer' is no column of CustomerFeatures",
        ),
        ({"entity": Entity(name="customer", join_keys=("age_",))}, "join key 'age_' of entity 'customer' ("),
        ({"entity": "customer"}, "entity='customer' is no Entity"),
    ],
)
def test_a_field_of_a_feature_view_that_cannot_be_is_named(wrong: dict[str, Any], said: str) -> None:
    found = reasons(feature_views=(replace(BY_HAND, **wrong),), models=(), monitors=())

    assert any(said in line for line in found), found


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"view": replace(customer_features, name="others")}, "view 'others' ("),
        ({"horizon": timedelta(0)}, "is shorter than 1 days"),
        (
            {"horizon": timedelta(days=29)},
            "the embargo of 28 days is shorter than the horizon of 29: labels of one split would look into the next",
        ),
        ({"embargo": timedelta(0)}, "Declare embargo=timedelta(days=28) or more"),
        ({"suspect_above": 95}, "suspect_above=95 is not a number from 0.5 to 1"),
        ({"label": "lable"}, "contract: 'lable' is no column of RepeatPurchase. Is 'label' meant?"),
        ({"split": (0.6, 0.4)}, "is not three shares above 0"),
        ({"predictions": None}, "it has a learner, and no contract of its predictions"),
        ({"predictions": Orders}, "predictions: 'as_of' is no column of Orders"),
        (
            {"learner": Learner(numeric=("orders_7",))},
            "learner: 'orders_7' is no column of customer_features. Is 'orders_7d'",
        ),
        ({"learner": Learner(numeric=("region",))}, "learner takes 'region' as a number, and it is String"),
        ({"learner": Learner(numeric="age")}, "learner.numeric='age' is a text"),  # type: ignore[arg-type]
        ({"learner": Learner(numeric=("age",), rounds=0)}, "learner.rounds=0 is not a number of 1 or more"),
        ({"learner": Learner(numeric=("age",), recency="tenure_days")}, "recency 'tenure_days' is none of its numeric"),
    ],
)
def test_a_field_of_a_model_that_cannot_be_is_named(wrong: dict[str, Any], said: str) -> None:
    found = reasons(models=(replace(repeat_purchase, **wrong),))

    assert any(said in line for line in found), found


@pytest.mark.parametrize(
    ("monitor", "said"),
    [
        (
            Monitor(table="interim/order"),
            "there is no such table; there are features/channel_features, features/customer_features, ",
        ),
        (Monitor(table="interim/orders", weights=(("amout", 2.0),)), "weights: 'amout' is no column of Orders"),
        (Monitor(table="interim/orders", weights=("amount",)), "is not pairs of column and weight"),  # type: ignore[arg-type]
        (Monitor(table="interim/orders", retrains=("none",)), "retrains: 'none' is no model that learns"),
        (Monitor(table="interim/orders", entity="custmer_id"), "entity: 'custmer_id' is no column of Orders"),
        (Monitor(table="interim/orders", entity=("customer_id",)), "entity=('customer_id',) is not a text"),  # type: ignore[arg-type]
        (Monitor(table="interim/orders", persist=0), "persist=0 is not a number of 1 or more"),
    ],
)
def test_a_field_of_a_monitor_that_cannot_be_is_named(monitor: Monitor, said: str) -> None:
    assert said in reasons(monitors=(monitor,))[0]


def test_two_of_one_name_are_named_with_both_places() -> None:
    again = replace(repeat_purchase, label="label")
    watched = Monitor(table="interim/orders")

    found = reasons(models=(repeat_purchase, again), monitors=(watched, watched), sources=(orders, orders, customers))

    assert found == [
        f"'orders' is declared twice, first at {orders.place}",
        f"'repeat_purchase' is declared twice, first at {repeat_purchase.place}",
        f"'orders' is declared twice, first at {watched.place}",
    ]


@pytest.mark.parametrize(
    "declared", [Source, FeatureView, Model, Monitor, Learner, Promotion, Tolerance, Entity, Limits]
)
def test_no_field_of_a_declaration_goes_unlooked_at(declared: type) -> None:
    named = {field.name for field in fields(declared)} - {"place"}

    assert named == set(shapes._TESTS[declared])  # also of one that is added later


def test_a_comma_that_is_missing_is_guessed() -> None:
    with pytest.raises(CatalogError, match=r"sources is a Source, not a tuple. Is a comma missing in the parentheses"):
        Catalog(sources=orders)  # type: ignore[arg-type]


def test_every_problem_is_named_at_once_each_where_it_was_declared() -> None:
    wrong = Source(name="wrong", contract=Orders, key="order_id", event_time="order_t")  # type: ignore[arg-type]

    with pytest.raises(CatalogError) as raised:
        Catalog(sources=(wrong,), monitors=(Monitor(table="interim/none"),))

    line = test_every_problem_is_named_at_once_each_where_it_was_declared.__code__.co_firstlineno
    here = Path(__file__).relative_to(PROJECT_ROOT)
    assert [problem.partition(": ")[0] for problem in raised.value.problems] == [
        f"{here}:{line + 1}",
        f"{here}:{line + 1}",
        f"{here}:{line + 4}",
    ]
    assert str(raised.value).count("\n  - ") == 3


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("select a\nfrom b\nwhere (", "the SQL does not parse, "),
        ("select 1; select 2", "must hold one select"),
        ("delete from orders", "must hold one select"),
        ("", "must hold one select"),
    ],
)
def test_sql_that_does_not_parse_is_named_with_its_line(text: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "view.sql").write_text(text)
    view = FeatureView(
        name="features_of_customers",
        entity=customer_features.entity,
        inputs=("orders",),
        sql="view.sql",
        contract=customer_features.contract,
        lookback=timedelta(days=1),
    )

    (found,) = reasons(feature_views=(view,), models=(), monitors=(), sql_dir=tmp_path)

    assert said in found
    assert "view.sql:3" in found or said != "the SQL does not parse, "


def test_columns_that_the_sql_and_the_contract_do_not_share_are_named(tmp_path: Path) -> None:
    text = CATALOG.view_sql(BY_HAND)
    (tmp_path / "view.sql").write_text(text.replace(" as tenure_days", " as tenure"))
    assert "as tenure_days" in text

    found = reasons(feature_views=(replace(BY_HAND, sql="view.sql"),), models=(), monitors=(), sql_dir=tmp_path)

    assert [line.partition(": ")[2] for line in found] == [
        "view.sql gives no column 'tenure_days' of CustomerFeatures",
        "view.sql gives a column 'tenure' that CustomerFeatures does not have",
    ]
