"""Which input columns each output column of a select comes from, read off the SQL.

A count of rows names no column and comes from none. But to count the rows of a `group by` or a `distinct` is to count
their keys, whether by `count(*)` or by a sum of ones: such a count comes from the keys.
"""

from functools import cache

from sqlglot import exp
from sqlglot.optimizer.scope import Scope, build_scope

from mlpipe_assets.catalog.versions import parsed

_ROWS = ""  # in place of a column: what tells the rows of a scope apart
_Seen = dict[tuple[int, str], set[tuple[str, str]]]


@cache
def column_lineage(sql: str, inputs: tuple[str, ...]) -> dict[str, list[tuple[str, str]]]:
    """Table and column that each output column of a select comes from; columns that come from none are left out."""
    root = build_scope(parsed(sql))
    if root is None:
        return {}
    found = {select.alias_or_name: sorted(_origins(root, select, frozenset(inputs), {})) for select in _selects(root)}
    return {name: origins for name, origins in found.items() if origins}


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
    below = [sub for sub in scope.subquery_scopes if _is_in(sub.expression, node)]
    theirs = {id(column) for sub in below for column in sub.expression.find_all(exp.Column)}
    for column in (one for one in node.find_all(exp.Column) if id(one) not in theirs):
        # `sources` also has the CTEs that are in sight and not read: a column without a table is none of theirs
        names = [column.table] if column.table else list(scope.selected_sources)
        for name in names:
            source = _source(scope, name)
            if isinstance(source, exp.Table):
                if source.name in inputs and (column.table or len(names) == 1):
                    found.add((source.name, column.name))
            elif isinstance(source, Scope):
                found |= _through(source, column.name, inputs, seen)
    if any(aggregate.find(exp.Column) is None for aggregate in node.find_all(exp.AggFunc)):
        found |= _keys_read(scope, inputs, seen)
    return found.union(*(_origins(leaf, one, inputs, seen) for sub in below for leaf, one in _asked(sub)))


def _asked(sub: Scope) -> list[tuple[Scope, exp.Expr]]:
    """The expressions that the value of a subquery comes from: its outputs, and of `exists` all that decides whether there is a row."""
    whole = isinstance(sub.expression.parent, exp.Exists)
    return [(leaf, one) for leaf in _leaves(sub) for one in ([leaf.expression] if whole else _selects(leaf))]


def _is_in(part: exp.Expr, node: exp.Expr) -> bool:
    above: exp.Expr | None = part
    while above is not None and above is not node:
        above = above.parent
    return above is node


def _source(scope: Scope, name: str) -> object:
    """What a name stands for in a scope; in a subquery also what it stands for around it."""
    around: Scope | None = scope
    while around is not None and name not in around.sources:
        around = around.parent if around.is_subquery else None
    return around.sources[name] if around else None


def _keys_read(scope: Scope, inputs: frozenset[str], seen: _Seen) -> set[tuple[str, str]]:
    """What tells the rows apart that a select reads; nothing where it reads tables as they are."""
    read = [source for _, source in scope.selected_sources.values() if isinstance(source, Scope)]
    return set().union(*(_keys(source, inputs, seen) for source in read))


def _keys(scope: Scope, inputs: frozenset[str], seen: _Seen) -> set[tuple[str, str]]:
    if (id(scope), _ROWS) not in seen:  # there already in a recursive CTE
        seen[id(scope), _ROWS] = set()
        seen[id(scope), _ROWS] = _resolve_keys(scope, inputs, seen)
    return seen[id(scope), _ROWS]


def _resolve_keys(scope: Scope, inputs: frozenset[str], seen: _Seen) -> set[tuple[str, str]]:
    query = scope.expression
    group = query.args.get("group")
    if group is not None:
        return set().union(*(_origins(scope, key, inputs, seen) for key in _grouped_by(scope, group)))
    if query.args.get("distinct"):
        return set().union(*(_origins(leaf, s, inputs, seen) for leaf in _leaves(scope) for s in _selects(leaf)))
    if scope.set_operation_scopes:
        return set().union(*(_keys(part, inputs, seen) for part in scope.set_operation_scopes))
    return _keys_read(scope, inputs, seen)


def _grouped_by(scope: Scope, group: exp.Expr) -> list[exp.Expr]:
    """The expressions of a `group by`, those given by position, by name or as `all` looked up among the outputs."""
    outputs = _selects(scope)
    if group.args.get("all"):
        return [output for output in outputs if output.find(exp.AggFunc) is None]
    named = {output.alias_or_name: output for output in outputs}
    return [
        outputs[int(key.name) - 1]
        if isinstance(key, exp.Literal) and key.is_int
        else named.get(key.name, key)
        if isinstance(key, exp.Column) and not key.table
        else key
        for key in group.expressions
    ]


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
        return set().union(*(_origins_below(u, _selects(u)[position], inputs, seen) for u in _leaves(scope)))
    chosen = [select for select in _selects(scope) if select.alias_or_name == name]
    return set().union(*(_origins_below(scope, select, inputs, seen) for select in chosen))


def _origins_below(scope: Scope, node: exp.Expr, inputs: frozenset[str], seen: _Seen) -> set[tuple[str, str]]:
    """As `_origins`, of an expression that another select reads: a number there says that its row counts."""
    counts = _counts_its_row(node)
    return _origins(scope, node, inputs, seen) | (_keys_read(scope, inputs, seen) if counts else set())


def _counts_its_row(node: exp.Expr) -> bool:
    """Whether an expression is a number to sum; zero adds nothing."""
    while isinstance(node, (exp.Alias, exp.Cast, exp.Neg, exp.Paren)):
        node = node.this
    return isinstance(node, exp.Literal) and node.is_number and float(node.this) != 0


def _selects(scope: Scope) -> list[exp.Expr]:
    """The output expressions of a select; of a union, those of its first part."""
    query = scope.expression
    return list(query.selects) if isinstance(query, exp.Query) else []


def _leaves(scope: Scope) -> list[Scope]:
    if not scope.set_operation_scopes:
        return [scope]
    return [leaf for union in scope.set_operation_scopes for leaf in _leaves(union)]
