"""Names that SQL would read as words of its own, and how such a name is written."""

import re

_RESERVED = (  # DuckDB's reserved ones
    "with where variadic unpivot union true using trailing to then table symmetric summarize create as into do initially for "
    "describe desc window except offset in default column false collate returning constraint all case placing cast analyse "
    "intersect asc analyze check having fetch when and only asymmetric on any array both group pivot_longer primary lambda "
    "foreign lateral unique leading null distinct limit not from or order some pivot end pivot_wider qualify else references "
    "deferrable select show"
)
_OF_TYPES_AND_FUNCTIONS = (
    "struct full columns cross ilike collation try_cast generated anti by at semi asof is authorization tuple glob isnull join "
    "overlaps tablesample left outer like unpack map natural similar notnull positional inner right interval values row timestamp"
)
_PLAIN = re.compile(r"[a-z_][a-z0-9_]*")
_NOT_PLAIN = re.compile(r"[^A-Za-z0-9_]+")
RESERVED = frozenset(_RESERVED.split())
_QUOTED = RESERVED | {*_OF_TYPES_AND_FUNCTIONS.split()}


def spell_name(name: str) -> str:
    """The name of a column as SQL reads it: as it is where that is safe, quoted where it is not."""
    return name if _PLAIN.fullmatch(name) and name not in _QUOTED else '"' + name.replace('"', '""') + '"'


def plain_name(name: str) -> str:
    """The name, where SQL reads it as it is, or one like it that others can be made of: `c_order`, `land_iso_`."""
    plain = name if spell_name(name) == name else _NOT_PLAIN.sub("_", name).lower()
    return plain if spell_name(plain) == plain else f"c_{plain}"
