"""The formats of the sample deliveries: the same rows give the same bytes."""

import io
import json
import re
import struct
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from datetime import date

import openpyxl
import polars as pl

_STORED_BLOCK = 0xFFFF


def write_csv(delivery: pl.DataFrame, ragged: Sequence[str] = (), cut_off: str = "") -> bytes:
    """A delimited file, with ragged lines in its middle and a line without an end after it."""
    lines = delivery.write_csv().splitlines()
    middle = len(lines) // 2
    return ("\n".join([*lines[:middle], *ragged, *lines[middle:]]) + "\n" + cut_off).encode()


def _typed_rows(delivery: pl.DataFrame) -> Iterator[dict[str, str | float | int | None]]:
    for row in delivery.iter_rows(named=True):
        yield row | {"amount": float(row["amount"]), "quantity": int(row["quantity"])}


def write_json_lines(delivery: pl.DataFrame) -> bytes:
    """One object a line, numbers as numbers."""
    return "".join(json.dumps(row) + "\n" for row in _typed_rows(delivery)).encode()


def write_gzip(data: bytes) -> bytes:
    """A gzip file without a time and without compression: compressed bytes differ between zlib versions, stored ones do not."""
    blocks = [data[at : at + _STORED_BLOCK] for at in range(0, len(data), _STORED_BLOCK)] or [b""]
    body = b"".join(
        struct.pack("<BHH", number == len(blocks), len(block), len(block) ^ 0xFFFF) + block
        for number, block in enumerate(blocks, start=1)
    )
    return b"\x1f\x8b\x08\0\0\0\0\0\0\xff" + body + struct.pack("<II", zlib.crc32(data), len(data) & 0xFFFFFFFF)


def write_xlsx(delivery: pl.DataFrame, day: date) -> bytes:
    """A workbook with one sheet, amounts and quantities as numbers; every date inside the file is `day`, nothing is compressed."""
    workbook = openpyxl.Workbook()
    sheet = workbook.worksheets[0]
    sheet.title = "orders"
    sheet.append(delivery.columns)
    for row in _typed_rows(delivery):
        sheet.append(list(row.values()))
    written, stamped = io.BytesIO(), io.BytesIO()
    workbook.save(written)
    with zipfile.ZipFile(written) as source, zipfile.ZipFile(stamped, "w", zipfile.ZIP_STORED) as copy:
        for name in source.namelist():
            entry = zipfile.ZipInfo(name, (day.year, day.month, day.day, 0, 0, 0))
            entry.create_system = 3  # as written on Unix, wherever it is written
            content = source.read(name)
            if name == "docProps/core.xml":
                content = re.sub(rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", f"{day}T00:00:00Z".encode(), content)
            copy.writestr(entry, content)
    return stamped.getvalue()
