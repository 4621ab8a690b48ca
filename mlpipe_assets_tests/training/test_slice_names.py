"""What slices are called in reports, checks and cards."""

import hashlib
from dataclasses import replace
from pathlib import Path

import pandera.polars as pa
import polars as pl

from mlpipe_assets.catalog.declarations import Catalog
from mlpipe_assets.contracts.orders import Orders
from mlpipe_assets.training.slice_names import name_slices, nameable
from mlpipe_assets_tests.planted import planted_catalog


class OrdersByPlace(Orders):
    """Orders with where and by whom. Grain: order_id."""

    area: str = pa.Field(isin=["north", "south"])
    colour: str = pa.Field(metadata={"examples": True})
    street: str
    phone: int = pa.Field(metadata={"personal": True})


def catalog_of(folder: Path, sql: str) -> Catalog:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "slices.sql").write_text(sql)
    catalog = planted_catalog(folder)
    sources = tuple(replace(s, contract=OrdersByPlace) if s.name == "orders" else s for s in catalog.sources)
    model = replace(catalog.models[0], inputs=("orders",), slices="slices.sql")
    return replace(catalog, sources=sources, models=(model,))


def called(text: str) -> str:
    return f"sha256 {hashlib.sha256(text.encode()).hexdigest()[:12]}"


def test_a_slice_is_named_where_a_contract_or_its_own_sql_names_it_and_else_by_its_digest(tmp_path: Path) -> None:
    sql = (
        "select f.customer_id, f.as_of, o.area, o.colour, o.street, case when f.age < 40 then 'young' else o.street end as life "
        "from features as f join orders as o on o.customer_id = f.customer_id"
    )
    catalog = catalog_of(tmp_path, sql)
    slices = pl.DataFrame(
        {
            "area": ["north", "Ann Smith", None],  # a row shifted by a column
            "colour": ["red", "blue", None],
            "street": ["High Street 1", "north", None],
            "life": ["young", "High Street 1", None],
            "orders": [1, 2, None],
            "phone": [5550100, 5550101, None],
        }
    )

    found = name_slices(slices, nameable(catalog, catalog.model("returning")))

    assert found.to_dict(as_series=False) == {
        "area": ["north", called("Ann Smith"), None],
        "colour": ["red", "blue", None],
        "street": [called("High Street 1"), called("north"), None],
        "life": ["young", called("High Street 1"), None],
        "orders": ["1", "2", None],
        "phone": [called("5550100"), called("5550101"), None],
    }


def test_a_model_without_slices_names_none(tmp_path: Path) -> None:
    catalog = planted_catalog(tmp_path)

    assert nameable(catalog, catalog.model("returning")) == {}
