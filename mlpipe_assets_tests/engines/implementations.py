"""The engines that there are, for the suite that each of them has to pass."""

from collections.abc import Callable
from dataclasses import dataclass

from mlpipe_assets.engines.duckdb_engine import DuckDBEngine
from mlpipe_assets.engines.engine import Engine


@dataclass(frozen=True, kw_only=True)
class Implementation:
    """An engine, and what only its own SQL can say.

    Attributes:
        name: As a test calls it.
        open: Makes one.
        ways_out: Selects that would open `{file}`, which is none of their tables.
        writing: Statements that do something else than read the table `s.t`.
        odd: Texts at the edge of what it takes, and types that nothing else holds.
    """

    name: str
    open: Callable[[], Engine]
    ways_out: tuple[str, ...]
    writing: tuple[str, ...]
    odd: tuple[str, ...] = ()


DUCKDB = Implementation(
    name="duckdb",
    open=DuckDBEngine,
    ways_out=(
        "select * from read_text('{file}')",
        "select * from read_blob('{file}')",
        "select * from read_csv('{file}')",
        "select * from '{file}'",
        "select * from glob('{file}')",
    ),
    writing=(
        "create table x as select 1 as a",
        "drop table s.t",
        "insert into s.t values (1)",
        "with gone as (delete from s.t returning *) select * from gone",
        "explain analyze create table x as select 1 as a",
        "copy (select 1 as a) to '{file}'",
        "set threads = 1",
        "attach '{file}' as x",
    ),
    odd=(
        "select 1) to 'x' (format csv); copy (select 2",
        "select interval 1 month as a",
        "select {'a': interval 1 day} as a",
        "select '101'::bit as a",
        "select union_value(a := 1) as a",
        "select map {1: 2} as a",
        "select 'infinity'::timestamp as a",
        "select timestamp '290000-01-01 00:00:00' as a",
        "select date '290000-01-01' as a",
        "select 'a'::enum('a') as a",
        "select timetz '10:00:00+01' as a",
        "select uuid() as a",
        "select 170141183460469231731687303715884105727::hugeint as a",
        "select 1::variant as a",
        "select 1::bignum as a",
        "select row() as a",
        "select [1, null]::int[2] as a",
        "select unnest([1, 2]) as a",
        "from t select *",
        "pivot t on k using count(*)",
        "describe t",
        "summarize t",
        "pragma version",
        "prepare p as select 1",
        "select lambda x: x as a",
        "select error('x') as a",
        "select getenv('HOME') as a",
    ),
)

IMPLEMENTATIONS = (DUCKDB,)
