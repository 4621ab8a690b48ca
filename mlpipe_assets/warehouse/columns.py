"""Columns as PostgreSQL has them, rows as its COPY reads them, and what both sides must agree on."""

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import orjson
import polars as pl

from mlpipe_assets.errors import MlpipeError, spell_count
from mlpipe_assets.rules import Column as Promised
from mlpipe_assets.rules import Contract, columns, unique_keys

NUL = "\0"
_LONGEST_NAME = 63
_TYPES: Mapping[object, str] = {
    pl.String: "text",
    pl.Categorical: "text",
    pl.Enum: "text",
    pl.Null: "text",
    pl.Boolean: "boolean",
    pl.Int8: "smallint",
    pl.Int16: "smallint",
    pl.Int32: "integer",
    pl.Int64: "bigint",
    pl.UInt8: "smallint",
    pl.UInt16: "integer",
    pl.UInt32: "bigint",
    pl.UInt64: "numeric(20, 0)",
    pl.Float32: "real",
    pl.Float64: "double precision",
    pl.Date: "date",
    pl.Time: "time",
    pl.Binary: "bytea",
}
_NESTED = (pl.List, pl.Array, pl.Struct)


class UnfitError(MlpipeError):
    """A table has something that PostgreSQL cannot hold."""


@dataclass(frozen=True, kw_only=True)
class Column:
    """One column: `dtype` as the lake has it, `type` as PostgreSQL has it."""

    name: str
    dtype: pl.DataType
    type: str
    nullable: bool = True
    comment: str = ""


def expect_name(name: str) -> str:
    """A name that PostgreSQL takes whole.

    Raises: UnfitError for a longer one, which it would cut.
    """
    if (size := len(name.encode())) > _LONGEST_NAME:
        raise UnfitError(
            f"the name {name!r} has {size} bytes, and PostgreSQL takes {_LONGEST_NAME}; give it a shorter one"
        )
    return name


def columns_of(schema: Mapping[str, pl.DataType], contract: Contract | None, required: Sequence[str]) -> list[Column]:
    """The columns of a table, with what its contract says of them.

    Args:
        schema: Name and type of each, in order.
        contract: None for a table without one.
        required: Those never null besides what the contract says.
    """
    promised = {column.name: column for column in columns(contract)} if contract else {}
    found: list[Column] = []
    for name, dtype in pl.Schema(schema).items():  # a contract may name a class, which makes it a type
        said = promised.get(name)
        found.append(
            Column(
                name=expect_name(name),
                dtype=dtype,
                type=type_of(dtype, name),
                nullable=name not in required and (said is None or said.nullable),
                comment=_comment(said),
            )
        )
    return found


def _comment(said: Promised | None) -> str:
    if said is None:
        return ""
    unit = said.metadata.get("unit")
    return " ".join(filter(None, (said.description, f"In {unit}." if unit else None)))


def key_of(contract: Contract | None) -> tuple[str, ...]:
    """The columns that tell the rows of one partition apart; none where no contract says so."""
    found = unique_keys(contract) if contract else []
    return found[0] if found else ()


def type_of(dtype: pl.DataType, name: str) -> str:
    """The type of PostgreSQL that holds every value of a type.

    Raises: UnfitError when none does.
    """
    if isinstance(dtype, pl.Decimal):
        return f"numeric({dtype.precision}, {dtype.scale})"
    if isinstance(dtype, pl.Datetime):
        return "timestamp with time zone" if dtype.time_zone else "timestamp"
    if isinstance(dtype, pl.Duration):
        return "bigint"
    if isinstance(dtype, _NESTED):
        return "jsonb"
    found = _TYPES.get(dtype.base_type())
    if found is None:
        raise UnfitError(f"column {name!r} is {dtype}, for which PostgreSQL has no type; leave it out, or give another")
    return found


def copy_text(rows: pl.DataFrame) -> bytes:
    """Rows as CSV that COPY reads: null is nothing at all, and an empty text is quoted.

    Raises: UnfitError for a text with the character of code 0, which PostgreSQL does not know.
    """
    texts = [name for name, dtype in rows.schema.items() if dtype in (pl.String, pl.Categorical, pl.Enum)]
    for name in texts:
        count = rows.select(pl.col(name).cast(pl.String).str.contains(NUL, literal=True).sum()).item()
        if count:
            raise UnfitError(
                f"column {name!r}: {spell_count(count, 'text has', 'texts have')} a character of code 0, which PostgreSQL does not "
                "know; take it out in `prepare` of the source, or let the contract refuse it"
            )
    buffer = io.BytesIO()
    rows.select(_plain(name, dtype) for name, dtype in rows.schema.items()).write_csv(
        buffer, include_header=False, quote_style="non_numeric"
    )
    return buffer.getvalue()


def _plain(name: str, dtype: pl.DataType) -> pl.Expr:
    """A column as values that CSV can hold."""
    value = pl.col(name)
    if isinstance(dtype, pl.Datetime):
        text = value.dt.convert_time_zone("UTC") if dtype.time_zone else value
        return text.dt.strftime("%Y-%m-%d %H:%M:%S%.6f+00" if dtype.time_zone else "%Y-%m-%d %H:%M:%S%.6f")
    if isinstance(dtype, pl.Duration):
        return value.dt.total_microseconds()
    if isinstance(dtype, pl.Binary):
        return pl.lit("\\x") + value.bin.encode("hex")
    if isinstance(dtype, _NESTED):
        return value.map_elements(lambda one: orjson.dumps(_jsonable(one)).decode(), return_dtype=pl.String)
    if isinstance(dtype, pl.Null | pl.Categorical | pl.Enum):
        return value.cast(pl.String)
    return value


def _jsonable(value: object) -> object:
    if isinstance(value, pl.Series):
        return [_jsonable(one) for one in value.to_list()]
    if isinstance(value, Mapping):
        return {key: _jsonable(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_jsonable(one) for one in value]
    return value if value is None or isinstance(value, bool | int | float | str) else f"{value}"
