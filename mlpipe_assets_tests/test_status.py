"""What `mlpipe status` knows of the files that came."""

from io import BytesIO

import openpyxl

from mlpipe_assets.catalog.declarations import Catalog
from mlpipe_assets.catalog.sources import orders
from mlpipe_assets.status import arrivals, spell_left_out
from mlpipe_assets.store.lake import Lake
from mlpipe_assets_tests.frames import HEADER, drop, order, take


def test_a_sheet_that_was_not_read_is_named(lake: Lake) -> None:
    book, content = openpyxl.Workbook(), BytesIO()
    for line in (HEADER, order("o1")):
        book.worksheets[0].append(line.split(","))
    book.create_sheet("totals").append(["sum", 6])
    book.save(content)
    drop(lake, "orders_2026-01-05.xlsx", content.getvalue())
    take(lake)

    [line] = spell_left_out(arrivals(lake, Catalog(sources=(orders,), sql_dir=lake.root)))

    assert line.startswith("raw/orders/orders_2026-01-05.xlsx: ")
    assert "sheet 2" in line
