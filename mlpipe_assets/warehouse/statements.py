"""What is said to PostgreSQL of one table: it is made, described, given its key, opened to those who read; a partition of it."""

from typing import Any

from psycopg2 import sql

from mlpipe_assets.warehouse.tables import WarehouseTable

Cursor = Any  # psycopg2 has no types


def create(cursor: Cursor, table: WarehouseTable, lake: str) -> None:
    """Make a table anew, with all that is declared of it but its key."""
    name = named(table)
    cursor.execute(sql.SQL("create schema if not exists {}").format(sql.Identifier(table.schema)))
    cursor.execute(sql.SQL("drop table if exists {}").format(name))
    cursor.execute("delete from meta.published_tables where table_name = %s", (table.full_name,))
    lines = [
        sql.SQL("{} {}{}").format(
            sql.Identifier(column.name), sql.SQL(column.type), sql.SQL("" if column.nullable else " not null")
        )
        for column in table.columns
    ]
    cursor.execute(sql.SQL("create table {} ({})").format(name, sql.SQL(", ").join(lines)))
    cursor.execute("insert into meta.published_tables values (%s, %s, '', %s)", (table.full_name, table.shape, lake))


def finish(cursor: Cursor, table: WarehouseTable) -> None:
    """The key of a table, made once its rows are there, which costs half of what it costs before."""
    name = named(table)
    if table.key:
        names = sql.SQL(", ").join(map(sql.Identifier, table.key))
        cursor.execute(sql.SQL("alter table {} add primary key ({})").format(name, names))
    elif table.parted_by:
        names = sql.SQL(", ").join(map(sql.Identifier, table.parted_by))
        cursor.execute(sql.SQL("create index on {} ({})").format(name, names))
    cursor.execute(sql.SQL("analyze {}").format(name))


def describe(cursor: Cursor, table: WarehouseTable, reader: str, described: str) -> None:
    """Put down what a table and its columns mean, and let a role read it; `described` is a digest of that."""
    name = named(table)
    cursor.execute(sql.SQL("comment on table {} is {}").format(name, sql.Literal(table.comment)))
    for column in table.columns:
        of = sql.Identifier(table.schema, table.name, column.name)
        cursor.execute(sql.SQL("comment on column {} is {}").format(of, sql.Literal(column.comment)))
    if reader:
        role = sql.Identifier(reader)
        for schema in (table.schema, "meta"):
            cursor.execute(sql.SQL("grant usage on schema {} to {}").format(sql.Identifier(schema), role))
        cursor.execute(sql.SQL("grant select on {} to {}").format(name, role))
        cursor.execute(sql.SQL("grant select on meta.published_tables, meta.published_partitions to {}").format(role))
    cursor.execute(
        "update meta.published_tables set described = %s where table_name = %s", (described, table.full_name)
    )


def named(table: WarehouseTable) -> sql.Identifier:
    """A table by schema and name, quoted."""
    return sql.Identifier(table.schema, table.name)


def where_part(table: WarehouseTable, name: str) -> sql.Composable:
    """The rows of one partition, by its name."""
    values = name.rsplit(" ", len(table.parted_by) - 1) if table.parted_by else []
    conditions = [
        sql.SQL("{} = {}").format(sql.Identifier(column), sql.Literal(value))
        for column, value in zip(table.parted_by, values, strict=True)
    ]
    return sql.SQL("({})").format(sql.SQL(" and ").join(conditions)) if conditions else sql.SQL("true")
