"""Temporary files that a killed run of a table left behind."""

from collections.abc import Iterator
from pathlib import Path


def leftovers(root: Path, stage: str, name: str) -> Iterator[Path]:
    """Those of one table, never of another, whose run may live."""
    patterns = [f"{stage}/{name}/*/.*.tmp", f"meta/refused/{stage}/{name}/.*.tmp"]
    patterns.append(f"meta/digests/.{stage}*.{name}.log.*.tmp")
    if stage == "raw":
        patterns = [
            f"raw/_events/{name}/*/.*.tmp",
            f"meta/deliveries/{name}/.*.tmp",
            f"meta/drop_zone/.{name}.json.*.tmp",
        ]
    if stage == "meta":
        patterns += [f"meta/.{name}.*.tmp", f"meta/automation/.{name.removeprefix('automation.')}.json.*.tmp"]
    if stage == "monitoring":
        patterns += [
            f"monitoring/*/*.{name}/*/.*.tmp",
            f"monitoring/realised/{name}/*/.*.tmp",
            f"monitoring/reference/.*{name}*.tmp",
            *(["monitoring/.*.tmp"] if name == "report" else []),
        ]
    if stage == "models":
        patterns += [f"meta/champions/.{name}.json.*.tmp", f"validation/golden/.{name}.parquet.*.tmp"]
    if stage in (
        "raw",
        "interim",
    ):  # both put rows into quarantine: on arrival by delivery, afterwards as refused.parquet
        patterns.append(
            f"validation/quarantine/{name}/*/.{'[0-9a-f]' * 64 + '*' if stage == 'raw' else 'refused'}.parquet.*.tmp"
        )
    for pattern in patterns:
        yield from root.glob(pattern)
