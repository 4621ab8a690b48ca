"""What a Parquet file says of its own size: its footer is walked over, and no page is unpacked.

A footer is a struct of Thrift's compact protocol; the numbers of its fields are those of parquet.thrift.
Source: https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md and
https://github.com/apache/parquet-format/blob/master/src/main/thrift/parquet.thrift.
"""

from pathlib import Path

_MAGIC = b"PAR1"
_TAIL = 8  # the length of the footer, and the magic
# FileMetaData.row_groups, RowGroup.columns, ColumnChunk.meta_data, ColumnMetaData.total_uncompressed_size
_SIZES = (4, 1, 3, 6)
_TRUE, _FALSE, _BYTE, _I16, _I32, _I64, _DOUBLE, _BINARY, _LIST, _SET, _MAP, _STRUCT, _UUID = range(1, 14)
_WIDTHS = {_TRUE: 0, _FALSE: 0, _BYTE: 1, _DOUBLE: 8, _UUID: 16}
_LARGEST = 63  # bits of a number
_LONG_LIST = 15  # its length comes as a number of its own
_LAST = 0x7F  # the largest byte that ends a number
_LAST_WITHOUT_STEP = 0x0F  # the number of the field comes behind


def unpacked_bytes(path: Path) -> int | None:
    """Bytes of all pages once unpacked, as the footer counts them; None where it cannot be read."""
    with path.open("rb") as file:
        size = file.seek(0, 2)
        file.seek(max(0, size - _TAIL))
        tail = file.read(_TAIL)
        length = int.from_bytes(tail[:4], "little")
        if tail[4:] != _MAGIC or length > size - _TAIL:
            return None
        file.seek(size - _TAIL - length)
        footer = file.read(length)
    try:
        return _add_up(footer, 0, _SIZES)[0]
    except (IndexError, RecursionError, ValueError):
        return None


# Each value takes a byte at least, so whatever a footer says of its lengths, the way over it ends where it ends: IndexError.
# ValueError is raised at what is no value. `at` is a position, and the last that a function gives is the one behind what it read.


def _add_up(footer: bytes, at: int, fields: tuple[int, ...]) -> tuple[int, int]:
    """Sum of the numbers at the end of a path of fields, from the struct at a position; lists on the way are gone through."""
    total = field = 0
    while header := footer[at]:
        kind, step, at = header & 0x0F, header >> 4, at + 1
        if step:
            field += step
        else:
            field, at = _signed(footer, at)
        if field != fields[0]:
            at = _past(footer, at, kind)
            continue
        length = 1
        if kind == _LIST:
            kind, length, at = _list(footer, at)
        for _ in range(length):
            found, at = _of(footer, at, kind, fields[1:])
            total += found
    return total, at + 1


def _of(footer: bytes, at: int, kind: int, fields: tuple[int, ...]) -> tuple[int, int]:
    if kind == _STRUCT and fields:
        return _add_up(footer, at, fields)
    if kind == _I64 and not fields:
        return _signed(footer, at)
    raise ValueError(kind)


def _past(footer: bytes, at: int, kind: int) -> int:
    """The position behind the value of a field."""
    if kind in (_I16, _I32, _I64):
        while footer[at] > _LAST:
            at += 1
        return at + 1
    if kind == _STRUCT:
        while header := footer[at]:
            at = _past(footer, at + 1 if header > _LAST_WITHOUT_STEP else _past(footer, at + 1, _I16), header & 0x0F)
        return at + 1
    if kind == _BINARY:
        length, at = _number(footer, at)
        return at + length
    if kind in (_LIST, _SET):
        items, length, at = _list(footer, at)
        return _past_items(footer, at, (items,), length)
    if kind == _MAP:
        length, at = _number(footer, at)
        return _past_items(footer, at + 1, (footer[at] >> 4, footer[at] & 0x0F), length) if length else at
    if kind in _WIDTHS:
        return at + _WIDTHS[kind]
    raise ValueError(kind)


def _past_items(footer: bytes, at: int, kinds: tuple[int, ...], length: int) -> int:
    """The position behind the items of a list or map; there, a boolean is a byte."""
    kinds = tuple(_BYTE if kind in (_TRUE, _FALSE) else kind for kind in kinds)
    for _ in range(length):
        for kind in kinds:
            at = _past(footer, at, kind)
        if at > len(footer):
            raise IndexError(at)
    return at


def _list(footer: bytes, at: int) -> tuple[int, int, int]:
    """Kind and number of the items of a list."""
    items, length = footer[at] & 0x0F, footer[at] >> 4
    if length < _LONG_LIST:
        return items, length, at + 1
    return items, *_number(footer, at + 1)


def _signed(footer: bytes, at: int) -> tuple[int, int]:
    number, at = _number(footer, at)
    return (number >> 1) ^ -(number & 1), at


def _number(footer: bytes, at: int) -> tuple[int, int]:
    number = shift = 0
    while (byte := footer[at]) > _LAST:
        number |= (byte & _LAST) << shift
        shift += 7
        at += 1
        if shift > _LARGEST:
            raise ValueError(shift)
    return number | byte << shift, at + 1
