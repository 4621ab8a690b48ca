"""Which input columns each output column of a select comes from, read off the SQL."""

from functools import cache

import dagster as dg
from sqlglot import exp
from sqlglot.optimizer.scope import Scope, build_scope

from mlpipe_assets.catalog.versions import parsed

_Seen = dict[tuple[int, str], set[tuple[str, str]]]


@cache
def column_lineage(sql: str, stage: str, inputs: tuple[str, ...]) -> dg.TableColumnLineage:
    """Lineage of every output column that names input columns, as the UI shows it."""
    root = build_scope(parsed(sql))
    if root is None:
        return dg.TableColumnLineage({})
    found = {select.alias_or_name: sorted(_origins(root, select, frozenset(inputs), {})) for select in _selects(root)}
    return dg.TableColumnLineage(
        {
            name: [dg.TableColumnDep(dg.AssetKey([stage, table]), column) for table, column in origins]
            for name, origins in found.items()
            if origins
        }
    )


@cache
def columns_read(sql: str, table: str) -> frozenset[str] | None:
    """Every column of a table that a select names anywhere, in joins and conditions too; None when it may be any."""
    names: set[str] = set()
    root = build_scope(parsed(sql))
    for scope in root.traverse() if root is not None else ():
        here = [
            name for name, source in scope.sources.items() if isinstance(source, exp.Table) and source.name == table
        ]
        if not here:
            continue
        if any(star.find_ancestor(exp.Count) is None for star in scope.find_all(exp.Star)):
            return None
        for column in scope.find_all(exp.Column):
            if not column.table and len(scope.sources) > 1:
                return None
            if not column.table or column.table in here:
                names.add(column.name)
    return frozenset(names)


def _origins(scope: Scope, node: exp.Expr, inputs: frozenset[str], seen: _Seen) -> set[tuple[str, str]]:
    """(table, column) pairs an expression of a scope reads, followed through CTEs and unions."""
    found: set[tuple[str, str]] = set()
    for column in node.find_all(exp.Column):
        names = [column.table] if column.table else list(scope.sources)
        for name in names:
            source = scope.sources.get(name)
            if isinstance(source, exp.Table):
                if source.name in inputs and (column.table or len(scope.sources) == 1):
                    found.add((source.name, column.name))
            elif isinstance(source, Scope):
                found |= _through(source, column.name, inputs, seen)
    return found


def _through(scope: Scope, name: str, inputs: frozenset[str], seen: _Seen) -> set[tuple[str, str]]:
    if (id(scope), name) in seen:  # known already, or a recursive CTE
        return seen[id(scope), name]
    seen[id(scope), name] = set()
    seen[id(scope), name] = _resolve(scope, name, inputs, seen)
    return seen[id(scope), name]


def _resolve(scope: Scope, name: str, inputs: frozenset[str], seen: _Seen) -> set[tuple[str, str]]:
    if scope.set_operation_scopes:
        first = _selects(scope.set_operation_scopes[0])
        position = next((i for i, s in enumerate(first) if s.alias_or_name == name), None)
        if position is None:
            return set()
        return set().union(*(_origins(u, _selects(u)[position], inputs, seen) for u in _leaves(scope)))
    chosen = [select for select in _selects(scope) if select.alias_or_name == name]
    return set().union(*(_origins(scope, select, inputs, seen) for select in chosen)) if chosen else set()


def _selects(scope: Scope) -> list[exp.Expr]:
    """The output expressions of a select; of a union, those of its first part."""
    query = scope.expression
    return list(query.selects) if isinstance(query, exp.Query) else []


def _leaves(scope: Scope) -> list[Scope]:
    if not scope.set_operation_scopes:
        return [scope]
    return [leaf for union in scope.set_operation_scopes for leaf in _leaves(union)]
