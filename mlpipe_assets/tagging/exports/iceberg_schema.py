"""The columns of a table in Iceberg's words: types, and the numbers by which its readers know a column.

Our Parquet files have no such numbers, so a name mapping gives each name one; a name keeps its number for good.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from mlpipe_assets.errors import SettingsError

_PLAIN: Mapping[type[pl.DataType], str] = {
    pl.Boolean: "boolean",
    pl.Int8: "int",
    pl.Int16: "int",
    pl.Int32: "int",
    pl.Int64: "long",
    pl.Float32: "float",
    pl.Float64: "double",
    pl.String: "string",
    pl.Binary: "binary",
    pl.Date: "date",
}
_WIDER = {("int", "long"): "long", ("float", "double"): "double"}
_DECIMAL = re.compile(r"decimal\((\d+), (\d+)\)")

IcebergType = str | dict[str, Any]


class Numbers:
    """The numbers of columns by name, and those still free; what is in a list or a struct has one too."""

    def __init__(self, mapping: Sequence[Mapping[str, Any]] = (), last: int = 0) -> None:
        self.last = last
        self._known = dict(_read_mapping(mapping, ""))

    def of(self, path: str) -> int:
        """The number of a column, such as `amount` or `items.element.price`."""
        if path not in self._known:
            self.last += 1
            self._known[path] = self.last
        return self._known[path]

    def mapping(self) -> list[dict[str, Any]]:
        """The name mapping of all columns there ever were."""
        found: dict[str, dict[str, Any]] = {}
        for path, number in sorted(self._known.items(), key=lambda item: item[0].count("\0")):
            parent, _, name = path.rpartition("\0")
            found[path] = {"field-id": number, "names": [name]}
            if parent:
                found[parent].setdefault("fields", []).append(found[path])
        return [entry for path, entry in found.items() if "\0" not in path]


def spell_type(dtype: pl.DataType, path: str, numbers: Numbers) -> IcebergType | None:
    """A type as Iceberg has it; None for one that it does not have."""
    if plain := _PLAIN.get(type(dtype)):
        return plain
    match dtype:
        case pl.Decimal():
            return f"decimal({dtype.precision}, {dtype.scale})"
        case pl.Datetime(time_unit="us" | "ms"):
            return "timestamptz" if dtype.time_zone else "timestamp"
        case pl.List():
            inside = f"{path}\0element"
            number, element = numbers.of(inside), spell_type(_made(dtype.inner), inside, numbers)
            return element and {"type": "list", "element-id": number, "element": element, "element-required": False}
        case pl.Struct():
            fields = [
                spell_field(field.name, _made(field.dtype), f"{path}\0{field.name}", numbers) for field in dtype.fields
            ]
            return {"type": "struct", "fields": fields} if all(field["type"] for field in fields) else None
    return None


def spell_field(name: str, dtype: pl.DataType, path: str, numbers: Numbers) -> dict[str, Any]:
    """A column as Iceberg has it; its type is None where Iceberg has none."""
    number = numbers.of(path)
    return {"id": number, "name": name, "required": False, "type": spell_type(dtype, path, numbers)}


def spell_columns(
    table: str,
    schemas: Sequence[Mapping[str, pl.DataType]],
    earlier: Sequence[Sequence[Mapping[str, Any]]],
    numbers: Numbers,
) -> list[dict[str, Any]]:
    """The columns of files, each wide enough for all of them, and for what other snapshots have under its name.

    Args:
        table: For messages.
        schemas: Of each file.
        earlier: The columns of each schema that the Iceberg table has.
        numbers: Of the columns it has.

    Raises: SettingsError for a type that Iceberg does not have, and for a name whose types do not go together.
    """
    before = {field["name"]: field["type"] for fields in earlier for field in fields}
    found: dict[str, dict[str, Any]] = {}
    for schema in schemas:
        for name, dtype in schema.items():
            field = spell_field(name, dtype, name, numbers)
            if field["type"] is None:
                raise SettingsError(
                    f"{table}: {name} is {dtype}, which Iceberg does not have. Leave the table out (--tables), or have another type."
                )
            there = found[name]["type"] if name in found else before.get(name, field["type"])
            wide = _wider(there, field["type"])
            if wide is None:
                raise SettingsError(
                    f"{table}: {name} is {_told(there)} in some files and {_told(field['type'])} in others, and no type of Iceberg holds "
                    "both. Export the tag into a folder of its own (--out)."
                )
            found[name] = {**field, "type": wide}
    return list(found.values())


def _wider(one: IcebergType, other: IcebergType) -> IcebergType | None:
    """The type that holds both, as far as Iceberg lets a column grow."""
    if one == other:
        return one
    if isinstance(one, str) and isinstance(other, str):
        first, second = _DECIMAL.fullmatch(one), _DECIMAL.fullmatch(other)
        if first and second:
            same_scale = first[2] == second[2]
            return f"decimal({max(int(first[1]), int(second[1]))}, {first[2]})" if same_scale else None
        return _WIDER.get((one, other)) or _WIDER.get((other, one))
    return None


def _told(spelled: IcebergType) -> str:
    return spelled if isinstance(spelled, str) else f"a {spelled['type']}"


def _made(dtype: Any) -> pl.DataType:  # noqa: ANN401 (polars has a class or an instance of it)
    return dtype if isinstance(dtype, pl.DataType) else dtype()


def _read_mapping(mapping: Sequence[Mapping[str, Any]], below: str) -> list[tuple[str, int]]:
    found = []
    for entry in mapping:
        path = f"{below}{entry['names'][0]}"
        found += [(path, entry["field-id"]), *_read_mapping(entry.get("fields", ()), f"{path}\0")]
    return found
