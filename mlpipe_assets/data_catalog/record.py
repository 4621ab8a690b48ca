"""The data catalog as it is kept: `meta/data_catalog.jsonl`, a line a table, the same bytes for the same lake."""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mlpipe_assets.catalog.declarations import Catalog
from mlpipe_assets.data_catalog.entries import describe
from mlpipe_assets.data_catalog.entry import Entry
from mlpipe_assets.errors import LakeError
from mlpipe_assets.partitions import last_partition
from mlpipe_assets.stages.flow_table import Holding
from mlpipe_assets.stages.work import Wanted, Work, or_unreadable
from mlpipe_assets.store import keys
from mlpipe_assets.store.lake import Lake

TABLE = "meta/catalog"


def write_entries(lake: Lake, entries: Sequence[Entry]) -> bool:
    """Replace what is kept, whole; False where it says the same already, and nothing was written."""
    content = spell_entries(entries)
    if _kept(lake) == content:
        return False
    lake.publish({keys.DATA_CATALOG: content})
    return True


def spell_entries(entries: Sequence[Entry]) -> bytes:
    """Lines of JSON, in the order data flows."""
    return b"".join(json.dumps(one.document(), ensure_ascii=False).encode() + b"\n" for one in entries)


@or_unreadable(lambda _: TABLE)
def catalog_work(lake: Lake, catalog: Catalog, _: Wanted) -> Work:
    """The catalog, as of the newest day, when it does not say what the lake holds."""
    entries = describe(lake, catalog)
    there = any(entry.partitions for entry in entries)
    return Work(table=TABLE, days=(last_partition(),) if there and _kept(lake) != spell_entries(entries) else ())


def inputs_of_catalog(lake: Lake, catalog: Catalog) -> str:
    """Digest of what the catalog would say now."""
    return hashlib.sha256(spell_entries(describe(lake, catalog))).hexdigest()


def catalog_held(lake: Lake) -> Holding | None:
    """How many tables it describes; None where it is not there."""
    content = _kept(lake)
    if content is None:
        return None
    return Holding(day=last_partition(), rows=content.count(b"\n"), digest=hashlib.sha256(content).hexdigest())


def _kept(lake: Lake) -> bytes | None:
    path: Path = lake.root / keys.DATA_CATALOG
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise LakeError(f"{path} cannot be read: {error.strerror}. Let this user read it.") from error


def read_lines(content: bytes) -> list[dict[str, Any]]:
    """What is kept, line by line."""
    return [json.loads(line) for line in content.splitlines()]
