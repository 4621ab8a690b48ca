"""The catalog as other tools read it."""

import json
import subprocess
from pathlib import Path

import polars as pl
import pytest
import yaml

from mlpipe_assets.catalog.contents import CATALOG
from mlpipe_assets.catalog.versions import model_version
from mlpipe_assets.data_catalog.entries import describe
from mlpipe_assets.data_catalog.entry import Entry
from mlpipe_assets.data_catalog.exports.registry import FORMATS, write_export
from mlpipe_assets.data_catalog.exports.sql_types import hive_type, kind_of
from mlpipe_assets.errors import SettingsError
from mlpipe_assets.rules import columns
from mlpipe_assets.settings import PROJECT_ROOT
from mlpipe_assets.store import keys
from mlpipe_assets.store.lake import Lake
from mlpipe_assets.transforms.splits import SPLITS
from mlpipe_assets_tests.fetched import make_environment
from mlpipe_assets_tests.frames import JAN_6

_READERS = (  # pinned, so that a new version of one is a change of ours
    "acryl-datahub==1.7.0.17",
    "botocore==1.44.8",
    "jsonschema==4.26.0",
    "mlcroissant[parquet]==1.1.1",
    "open-data-contract-standard==3.2.0",
)


def test_a_contract_has_what_the_table_promises(two_days: Lake, entries: dict[str, Entry], out: Path) -> None:
    write_export(two_days, [entries["interim/customers"]], "odcs", out)

    contract = yaml.safe_load((out / "interim.customers.odcs.yaml").read_text())
    email, customer = (
        next(one for one in contract["schema"][0]["properties"] if one["name"] == name)
        for name in ("email", "customer_id")
    )
    assert (contract["kind"], contract["name"]) == ("DataContract", "interim/customers")
    assert (email["classification"], email["required"]) == ("personal", False)
    assert (customer["primaryKey"], customer["primaryKeyPosition"]) == (True, 1)


def test_a_glue_table_lies_where_the_partitions_are(two_days: Lake, entries: dict[str, Entry], out: Path) -> None:
    write_export(two_days, [entries["interim/orders"]], "glue", out)

    table = json.loads((out / "interim.orders.json").read_text())
    types = {one["Name"]: one["Type"] for one in table["StorageDescriptor"]["Columns"]}
    assert table["StorageDescriptor"]["Location"] == f"{two_days.root.as_uri()}/interim/orders/"
    assert table["PartitionKeys"][0]["Name"] == "date"
    assert (types["order_id"], types["order_ts"]) == ("string", "timestamp")


def test_proposals_say_which_column_comes_from_which(two_days: Lake, entries: dict[str, Entry], out: Path) -> None:
    write_export(two_days, [entries["features/customer_features"]], "datahub", out)

    proposals = json.loads((out / "mlpipe.mcps.json").read_text())
    (lineage,) = (one["aspect"]["json"] for one in proposals if one["aspectName"] == "upstreamLineage")
    age = next(one for one in lineage["fineGrainedLineages"] if one["downstreams"][0].endswith(",age)"))
    assert age["upstreams"] == [
        "urn:li:schemaField:(urn:li:dataset:(urn:li:dataPlatform:mlpipe,interim.customers,PROD),age)"
    ]


def test_without_a_training_set_there_is_nothing_to_describe(
    two_days: Lake, entries: dict[str, Entry], out: Path
) -> None:
    with pytest.raises(SettingsError, match="nothing to export as croissant yet"):
        write_export(two_days, [*entries.values()], "croissant", out)
    assert not out.exists()


@pytest.mark.parametrize(
    ("sql", "kind", "hive"),
    [
        ("DECIMAL(18, 4)", "number", "decimal(18,4)"),
        ("TIMESTAMP WITH TIME ZONE", "time", "timestamp"),
        ("UBIGINT", "integer", "decimal(20,0)"),
        ("ENUM('a')", "text", "string"),
        ("STRUCT(a INTEGER)", "other", "string"),
    ],
)
def test_a_type_has_a_name_in_every_system(sql: str, kind: str, hive: str) -> None:
    assert (kind_of(sql), hive_type(sql)) == (kind, hive)


@pytest.mark.long
def test_the_libraries_that_own_the_formats_read_them(tmp_path: Path, two_days: Lake) -> None:
    model = CATALOG.models[0]
    schema = {column.name: column.dtype for column in columns(model.contract)}
    change = two_days.change("processed", model.name)
    for split, rows in zip(SPLITS, (3, 1, 0), strict=True):  # a split of no rows is described like any
        facts = {"code_version": model_version(CATALOG, model), "rows": rows}
        frame = pl.DataFrame({name: pl.Series([1] * rows, dtype=pl.Int64).cast(kind) for name, kind in schema.items()})
        change.put(change.table.stage(JAN_6, frame, facts, keys.split(split)))
    change.publish()
    described = describe(two_days, CATALOG)
    for kind in FORMATS:
        write_export(two_days, described, kind, tmp_path / kind)
    python = make_environment(tmp_path / "readers", *_READERS)

    script = PROJECT_ROOT / "mlpipe_assets_tests" / "data_catalog" / "read_exports.py"
    done = subprocess.run([python, script, tmp_path], check=True, capture_output=True, text=True)

    read = json.loads(done.stdout.splitlines()[-1])
    assert {kind: found["wrong"] for kind, found in read.items()} == {kind: [] for kind in FORMATS}
    promised = {entry.name: [column.name for column in entry.columns] for entry in described if entry.columns}
    assert read["odcs"]["contracts"] == promised
    assert read["glue"]["tables"]["interim_orders"] == len(promised["interim/orders"])
    assert read["datahub"]["aspects"] == sorted(
        ["datasetProperties", "globalTags", "ownership", "schemaMetadata", "upstreamLineage"]
    )
    assert read["croissant"]["rows"] == {model.name: {"train": 3, "validation": 1, "test": 0}}
