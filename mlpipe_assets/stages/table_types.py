"""A contract as the Dagster type of its table: what the UI shows under Type and Columns."""

import warnings
from functools import cache

import dagster as dg
import polars as pl
from dagster._core.types.dagster_type import DagsterTypeKind
from dagster_pandera import pandera_schema_to_dagster_type

from mlpipe_assets.rules import Contract, columns

_NAMED: dict[str, Contract] = {}


@cache
def table_type(contract: Contract) -> dg.DagsterType:
    """The type that dagster-pandera makes of a contract, for an asset whose run has written the table itself.

    The gate has judged every row by the time Dagster sees the output, and the output holds no frame: the type accepts
    nothing else, so no row is judged twice and no IO manager is asked to store anything.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", dg.BetaWarning)
        declared = pandera_schema_to_dagster_type(contract)
    name = contract.__name__
    if _NAMED.setdefault(name, contract) is not contract:  # Dagster wants a name per type
        name = f"{contract.__module__}.{name}".replace(".", "_")
    return dg.DagsterType(
        type_check_fn=lambda _context, value: value is None,
        name=name,
        description=" ".join((declared.description or name).split()),
        metadata={"schema": column_schema(contract)},
        kind=DagsterTypeKind.NOTHING,
    )


@cache
def column_schema(contract: Contract) -> dg.TableSchema:
    """The column table that dagster-pandera reads off a contract, with types and rules in the words of our messages."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", dg.BetaWarning)
        declared = pandera_schema_to_dagster_type(contract).metadata["schema"].value
    if not isinstance(declared, dg.TableSchema):
        raise TypeError(declared)
    unique = contract.to_schema().unique
    return dg.TableSchema(
        columns=[
            dg.TableColumn(
                name=shown.name,
                type=type_name(column.dtype),
                description=shown.description,
                constraints=dg.TableColumnConstraints(
                    nullable=shown.constraints.nullable,
                    unique=shown.constraints.unique,
                    other=list(column.constraints),
                ),
                tags={"personal": ""} if column.metadata.get("personal") else {},
            )
            for shown, column in zip(declared.columns, columns(contract), strict=True)
        ],
        constraints=dg.TableConstraints(
            other=[*([f"unique: {', '.join(unique)}"] if unique else []), *declared.constraints.other]
        ),
    )


def type_name(dtype: pl.DataType) -> str:
    """A type as people read it."""
    if isinstance(dtype, pl.Datetime):
        return f"Datetime ({dtype.time_zone or 'no zone'})"
    if isinstance(dtype, pl.Decimal):
        return f"Decimal({dtype.precision},{dtype.scale})"
    return str(dtype)
