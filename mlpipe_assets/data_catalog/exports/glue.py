"""Tables as AWS Glue takes them: the `TableInput` of `create_table`, one JSON file a table."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from mlpipe_assets.data_catalog.entry import Entry
from mlpipe_assets.data_catalog.exports.sql_types import hive_type
from mlpipe_assets.settings import read_settings
from mlpipe_assets.store.lake import Lake

_PARQUET = "org.apache.hadoop.hive.ql.io.parquet"
_LONGEST, _LONGEST_COMMENT = 2048, 255  # characters that Glue takes of a description, and of a comment


def spell(lake: Lake, entries: Sequence[Entry], _: Path) -> Iterator[tuple[str, bytes]]:
    """Name and content of each file: tables with days of their own. Of a table in several files Glue sees all."""
    for entry in entries:
        if entry.columns and entry.path:
            content = json.dumps(_table(lake, entry), indent=2, ensure_ascii=False)
            yield f"{entry.name.replace('/', '.')}.json", f"{content}\n".encode()


def _table(lake: Lake, entry: Entry) -> dict[str, Any]:
    folder = PurePosixPath(entry.path.split(", ")[0]).parent.parent
    root = read_settings().lake_address or lake.root.as_uri()
    return {
        "Name": entry.name.replace("/", "_").lower(),
        "Description": entry.description[:_LONGEST],
        **({"Owner": ", ".join(entry.owners)} if entry.owners else {}),
        "TableType": "EXTERNAL_TABLE",
        "Parameters": {
            "classification": "parquet",
            "EXTERNAL": "TRUE",
            "contract": f"{entry.contract} {entry.contract_digest}",
            "version": entry.version,
            "recordCount": f"{entry.rows}",
        },
        "PartitionKeys": [{"Name": "date", "Type": "date", "Comment": "The day of the partition."}],
        "StorageDescriptor": {
            "Columns": [
                {"Name": column.name, "Type": hive_type(column.type), "Comment": column.description[:_LONGEST_COMMENT]}
                for column in entry.columns
            ],
            "Location": f"{f'{root}'.rstrip('/')}/{folder}/",
            "InputFormat": f"{_PARQUET}.MapredParquetInputFormat",
            "OutputFormat": f"{_PARQUET}.MapredParquetOutputFormat",
            "SerdeInfo": {"SerializationLibrary": f"{_PARQUET}.serde.ParquetHiveSerDe"},
        },
    }
