"""What other systems call the types that `mlpipe sql` names."""

from collections.abc import Mapping

_HIVE: Mapping[str, str] = {
    "VARCHAR": "string",
    "BOOLEAN": "boolean",
    "TINYINT": "tinyint",
    "SMALLINT": "smallint",
    "INTEGER": "int",
    "BIGINT": "bigint",
    "UTINYINT": "smallint",
    "USMALLINT": "int",
    "UINTEGER": "bigint",
    "UBIGINT": "decimal(20,0)",
    "FLOAT": "float",
    "DOUBLE": "double",
    "DATE": "date",
    "BLOB": "binary",
    "TIME": "string",
    "INTERVAL": "bigint",
}


def hive_type(sql: str) -> str:
    """The type in Hive's words, which AWS Glue takes; what Hive does not have is text."""
    if sql.startswith("TIMESTAMP"):
        return "timestamp"
    if sql.startswith("DECIMAL"):
        return sql.lower().replace(" ", "")
    return _HIVE.get(sql, "string")


def kind_of(sql: str) -> str:
    """What a type is of: `text`, `flag`, `integer`, `number`, `date`, `time`, `bytes`, or `other`."""
    base = sql.partition("(")[0]
    if base in ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT", "HUGEINT"):
        return "integer"
    if base in ("FLOAT", "DOUBLE", "DECIMAL"):
        return "number"
    if base.startswith("TIMESTAMP"):
        return "time"
    named = {"VARCHAR": "text", "BOOLEAN": "flag", "DATE": "date", "BLOB": "bytes"}
    return named.get(base, "text" if base.startswith("ENUM") else "other")
