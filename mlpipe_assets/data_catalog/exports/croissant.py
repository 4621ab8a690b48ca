"""Training sets in Croissant 1.0: one JSON-LD file each, with the splits of the newest one by their digests."""

import json
import os
from collections.abc import Iterator, Sequence
from datetime import date
from pathlib import Path
from typing import Any

from mlpipe_assets.data_catalog.entry import Entry
from mlpipe_assets.data_catalog.exports.sql_types import kind_of
from mlpipe_assets.store import keys
from mlpipe_assets.store.lake import Lake
from mlpipe_assets.transforms.splits import SPLITS

_CONTEXT: dict[str, Any] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "cr": "http://mlcommons.org/croissant/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "equivalentProperty": "cr:equivalentProperty",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "extract": "cr:extract",
    "field": "cr:field",
    "fileObject": "cr:fileObject",
    "fileProperty": "cr:fileProperty",
    "fileSet": "cr:fileSet",
    "format": "cr:format",
    "includes": "cr:includes",
    "isLiveDataset": "cr:isLiveDataset",
    "jsonPath": "cr:jsonPath",
    "key": "cr:key",
    "md5": "cr:md5",
    "parentField": "cr:parentField",
    "path": "cr:path",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "recordSet": "cr:recordSet",
    "references": "cr:references",
    "regex": "cr:regex",
    "repeated": "cr:repeated",
    "replace": "cr:replace",
    "samplingRate": "cr:samplingRate",
    "sc": "https://schema.org/",
    "separator": "cr:separator",
    "source": "cr:source",
    "subField": "cr:subField",
    "transform": "cr:transform",
}
_KINDS = {
    "text": "sc:Text",
    "flag": "sc:Boolean",
    "integer": "sc:Integer",
    "number": "sc:Float",
    "date": "sc:Date",
    "time": "sc:DateTime",
    "bytes": "sc:Text",
    "other": "sc:Text",
}


def spell(lake: Lake, entries: Sequence[Entry], out: Path) -> Iterator[tuple[str, bytes]]:
    """Name and content of each file: training sets that there are."""
    for entry in entries:
        if entry.stage == "processed" and entry.newest:
            content = json.dumps(_dataset(lake, entry, out), indent=2, ensure_ascii=False)
            yield f"{entry.name.replace('/', '.')}.croissant.json", f"{content}\n".encode()


def _dataset(lake: Lake, entry: Entry, out: Path) -> dict[str, Any]:
    day = date.fromisoformat(entry.newest or "")
    _, name = entry.name.split("/")
    state = lake.state(*entry.name.split("/"))
    files = {split: state.files([day], keys.split(split))[0] for split in SPLITS if state.has(day, keys.split(split))}
    return {
        "@context": _CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": "http://mlcommons.org/croissant/1.0",
        "name": name,
        "description": entry.description,
        "version": f"1.0.0+{day:%Y%m%d}",
        "datePublished": f"{day}",
        "creator": [{"@type": "sc:Organization", "name": owner} for owner in entry.owners],
        "keywords": [*entry.tags],
        "distribution": [
            {
                "@type": "cr:FileObject",
                "@id": keys.split(split),
                "name": keys.split(split),
                "description": f"The rows of {split} as of {day}.",
                "contentUrl": os.path.relpath(path, out),
                "contentSize": f"{path.stat().st_size} B",
                "encodingFormat": "application/x-parquet",
                "sha256": state.digest(day, keys.split(split)),
            }
            for split, path in files.items()
        ],
        "recordSet": [_records(entry, split) for split in files],
    }


def _records(entry: Entry, split: str) -> dict[str, Any]:
    return {
        "@type": "cr:RecordSet",
        "@id": split,
        "name": split,
        "description": f"{entry.grain}; {split}",
        "field": [
            {
                "@type": "cr:Field",
                "@id": f"{split}/{column.name}",
                "name": column.name,
                "description": column.description or column.name,
                "dataType": _KINDS[kind_of(column.type)],
                "source": {"fileObject": {"@id": keys.split(split)}, "extract": {"column": column.name}},
            }
            for column in entry.columns
        ],
    }
