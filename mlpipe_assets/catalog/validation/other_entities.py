"""Where SQL that is to describe one entity at a time looks at the rows of others, read off the SQL.

Rows of a table that carries the join key belong to one entity each. What is made of them stays with that entity as long
as it is grouped, partitioned and joined by the key. Whatever cannot be followed (a pivot, say) is left to the proof,
which recomputes a few entities alone.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from sqlglot import exp
from sqlglot.optimizer.scope import Scope, build_scope

from mlpipe_assets.catalog.declarations import Entity
from mlpipe_assets.catalog.versions import parsed
from mlpipe_assets.engines.engine import DIALECT

_OUTER = ""  # stands for the rows of the query around a subquery
_KEEPS_THE_KEY = (exp.Alias, exp.Cast, exp.TryCast, exp.Paren)


@dataclass(frozen=True, kw_only=True)
class _Rows:
    """What a table or a subselect holds: whether its rows belong to entities, and the columns that say to which."""

    owned: bool
    keys: frozenset[str] = frozenset()


@dataclass(kw_only=True)
class _Walk:
    """One walk over a select, from the inside out."""

    owned_tables: frozenset[str]
    key: str
    found: list[tuple[int, str]] = field(default_factory=list)
    known: dict[int, _Rows] = field(default_factory=dict)


def find_other_entities(sql: str, name: str, owned_tables: Mapping[str, frozenset[str]], entity: Entity) -> list[str]:
    """Where a select mixes rows of several entities, one line each; empty where it describes each entity by itself.

    Args:
        sql: The select.
        name: Its file.
        owned_tables: By join key the tables whose rows carry it.
        entity: What the select describes.
    """
    found: list[tuple[int, str]] = []
    for key in entity.join_keys:
        walk = _Walk(owned_tables=owned_tables[key], key=key)
        root = build_scope(parsed(sql, name))
        for scope in root.traverse() if root is not None else ():
            walk.known[id(scope)] = _read(walk, scope)
        found += walk.found
    advice = (
        f"it looks at other {entity.name} rows. A view is per entity: what it says of a {entity.name} may come from the "
        f'rows of its own {", ".join(entity.join_keys)} only. Declare scope="population" if it is to '
        "describe each by all of them, take the column out, or bring the figure in as a source of its own"
    )
    return [f"{name}:{line}: {what}: {advice}" for line, what in dict.fromkeys(sorted(found))]


def _read(walk: _Walk, scope: Scope) -> _Rows:
    query = scope.expression
    if scope.set_operation_scopes:
        return _read_union(walk, scope)
    if isinstance(query, exp.Lateral):  # a join by itself: its inner select says what it is joined on
        return _Rows(owned=False)
    if not isinstance(query, exp.Select):
        return _Rows(owned=False)
    sources = _sources(walk, scope)
    owned = [alias for alias, rows in sources.items() if rows.owned]
    if not owned:
        return _Rows(owned=False)
    groups = _joined_by_key(walk, scope, sources, owned)
    outer = _OUTER in groups[0]
    if len(groups) > 1:
        apart = " and ".join(sorted(group_name for group in groups for group_name in sorted(group)[:1] if group_name))
        walk.found.append((line_of(query), f"{apart or owned[0]} are not joined on {walk.key}"))
    if not outer and _is_inner(scope) and not _is_key_list(walk, scope, sources):
        walk.found.append((line_of(query), f"{owned[0]} is read without its {walk.key}"))
        return _Rows(owned=False)
    if not outer:
        _judge_grouping(walk, scope, sources)
    return _Rows(owned=not outer, keys=_keys_out(walk, scope, sources))


def _read_union(walk: _Walk, scope: Scope) -> _Rows:
    parts = [walk.known.get(id(part), _Rows(owned=False)) for part in scope.set_operation_scopes]
    names = [[s.alias_or_name for s in _selects(part.expression)] for part in scope.set_operation_scopes]
    if not any(part.owned for part in parts):
        return _Rows(owned=False)
    if any("*" in some for some in names):
        return _Rows(owned=True, keys=frozenset.intersection(*(p.keys for p in parts if p.owned)))
    places = [
        {i for i, column in enumerate(some) if column in part.keys}
        for part, some in zip(parts, names, strict=True)
        if part.owned
    ]
    kept = set.intersection(*places)
    return _Rows(owned=True, keys=frozenset(names[0][i] for i in kept))


def _sources(walk: _Walk, scope: Scope) -> dict[str, _Rows]:
    found: dict[str, _Rows] = {}
    for alias, (_, source) in scope.selected_sources.items():
        if isinstance(source, exp.Table):
            owned = source.name in walk.owned_tables
            found[alias] = _Rows(owned=owned, keys=frozenset({walk.key} if owned else ()))
        else:  # of a recursive CTE the part that reads itself is not known yet: it has the key, if the first part has
            found[alias] = walk.known.get(id(source), _Rows(owned=True, keys=frozenset({walk.key})))
    return found


def _is_inner(scope: Scope) -> bool:
    """Whether the select stands inside an expression of another one: its rows are looked up, not joined."""
    lateral = scope.expression.find_ancestor(exp.Lateral, exp.Select)
    return scope.is_subquery and not isinstance(lateral, exp.Lateral)


def _holder(walk: _Walk, scope: Scope, sources: dict[str, _Rows], node: exp.Expr | None) -> str | None:
    """The source whose join key an expression is; `_OUTER` for that of the query around; None where it is no key."""
    while isinstance(node, _KEEPS_THE_KEY):
        node = node.this
    if isinstance(node, exp.Coalesce):
        holders = [_holder(walk, scope, sources, part) for part in (node.this, *node.expressions)]
        return holders[0] if all(h is not None for h in holders) else None
    if not isinstance(node, exp.Column):
        return None
    for alias, rows in sources.items():
        if node.table in ("", alias) and node.name in rows.keys:
            return alias
    if node.table in sources or scope.parent is None or (not node.table and sources):
        return None
    around = _sources(walk, scope.parent)
    return None if _holder(walk, scope.parent, around, node) is None else _OUTER


def _joined_by_key(walk: _Walk, scope: Scope, sources: dict[str, _Rows], owned: list[str]) -> list[set[str]]:
    """The owned sources in groups that are joined on the key; the group of the query around, if any, first."""
    groups: list[set[str]] = [{alias} for alias in owned]
    for one, other in (*_used_pairs(scope, sources), *_equal_pairs(walk, scope, sources)):
        tied = [group for group in groups if group & {one, other}]
        groups = [group for group in groups if not group & {one, other}] + [{one, other}.union(*tied)]
    held = [group for group in groups if group & set(owned)]
    return sorted(held, key=lambda group: _OUTER not in group)


def _used_pairs(scope: Scope, sources: dict[str, _Rows]) -> list[tuple[str, str]]:
    """Sources joined by `using (key)` or a natural join."""
    pairs: list[tuple[str, str]] = []
    before = list(sources)[:1]
    for join in scope.expression.args.get("joins") or []:
        alias = join.this.alias_or_name
        natural = str(join.args.get("method") or "").upper() == "NATURAL"
        using = {column.name for column in join.args.get("using") or []}
        if alias in sources and (natural or using & sources[alias].keys):
            pairs += [(alias, other) for other in before if natural or using & sources[other].keys]
        before += [alias] if alias in sources else []
    return pairs


def _equal_pairs(walk: _Walk, scope: Scope, sources: dict[str, _Rows]) -> list[tuple[str, str]]:
    """Sources whose keys some condition that always holds says are equal."""
    where = scope.expression.args.get("where")
    conditions = [join.args["on"] for join in scope.expression.args.get("joins") or [] if join.args.get("on")]
    conditions += [where.this] if where is not None else []
    parts = [p for c in conditions for p in (c.flatten() if isinstance(c, exp.And) else [c])]
    equal = [p for p in (part.unnest() for part in parts) if isinstance(p, exp.EQ | exp.NullSafeEQ)]
    held = [(_holder(walk, scope, sources, e.left), _holder(walk, scope, sources, e.right)) for e in equal]
    return [(one, other) for one, other in held if one is not None and other is not None]


def _is_key_list(walk: _Walk, scope: Scope, sources: dict[str, _Rows]) -> bool:
    """Whether a select inside an expression lists keys that a key is looked up in: `key in (select key ...)`."""
    place = scope.expression.find_ancestor(exp.In)
    query = place.args.get("query") if place is not None else None
    if place is None or query is None or query.unnest() is not scope.expression or scope.parent is None:
        return False
    around = _sources(walk, scope.parent)
    asked = _holder(walk, scope.parent, around, place.this)
    selects = _selects(scope.expression)
    return asked is not None and len(selects) == 1 and _holder(walk, scope, sources, selects[0]) is not None


def _judge_grouping(walk: _Walk, scope: Scope, sources: dict[str, _Rows]) -> None:
    """Aggregates, windows, distinct and limits of a select over rows of many entities."""
    query = scope.expression
    group, distinct = query.args.get("group"), query.args.get("distinct")
    windows = list(scope.find_all(exp.Window))
    inside = {id(_function(window)) for window in windows}
    aggregates = [a for a in scope.find_all(exp.AggFunc) if id(a) not in inside and a.find_ancestor(exp.Window) is None]
    if (group or aggregates) and not _has_key(walk, scope, sources, _grouped_by(query, group)):
        shown = aggregates[0].sql(dialect=DIALECT)[:60] if aggregates else "group by"
        walk.found.append((line_of(aggregates[0] if aggregates else query), f"{shown} is not grouped by {walk.key}"))
    elif group is not None and any(group.args.get(kind) for kind in ("rollup", "cube", "grouping_sets")):
        walk.found.append((line_of(query), f"the group by has totals over every {walk.key}"))
    for window in windows:
        if isinstance(window.parent, exp.Select) and window.arg_key == "windows":
            continue
        keys = [key for part in window_parts(window) for key in part.args.get("partition_by") or []]
        if not _has_key(walk, scope, sources, keys):
            shown = window.this.sql(dialect=DIALECT)[:60]
            walk.found.append((line_of(window), f"{shown} over (...) is not partitioned by {walk.key}"))
    if distinct is not None:
        on = distinct.args.get("on")
        told = list(on.expressions) if on is not None else _selects(query)
        if not _has_key(walk, scope, sources, told) and not any(s.is_star for s in told):
            walk.found.append((line_of(query), f"the distinct rows have no {walk.key}"))
    if query.args.get("limit") is not None:
        walk.found.append((line_of(query), "a limit counts the rows of every " + walk.key))


def _function(window: exp.Window) -> exp.Expr:
    """The function of a window, out of its filter or its word on nulls."""
    node: exp.Expr = window.this
    while isinstance(node, exp.Filter | exp.IgnoreNulls | exp.RespectNulls):
        node = node.this
    return node


def _grouped_by(query: exp.Expr, group: exp.Expr | None) -> list[exp.Expr]:
    """What a select groups by: expressions, places and names of its own columns, or all that is no aggregate."""
    if group is None:
        return []
    selects = _selects(query)
    if group.args.get("all"):
        return [s for s in selects if s.find(exp.AggFunc) is None]
    named = {s.alias: s for s in selects if s.alias}
    places = {f"{i}": s for i, s in enumerate(selects, 1)}
    found: list[exp.Expr] = []
    for one in group.expressions:
        found += [places[one.this]] if isinstance(one, exp.Literal) and one.this in places else [one]
        if isinstance(one, exp.Column) and not one.table and one.name in named:
            found.append(named[one.name])
    return found


def _has_key(walk: _Walk, scope: Scope, sources: dict[str, _Rows], expressions: list[exp.Expr]) -> bool:
    return any(_holder(walk, scope, sources, one) is not None for one in expressions)


def _keys_out(walk: _Walk, scope: Scope, sources: dict[str, _Rows]) -> frozenset[str]:
    """Columns of the result that are the join key."""
    keys: set[str] = set()
    for select in _selects(scope.expression):
        if select.is_star:
            left_out = {e.name for star in select.find_all(exp.Star) for e in star.args.get("except_") or ()}
            table = select.table if isinstance(select, exp.Column) else ""
            keys |= {k for a, rows in sources.items() if table in ("", a) for k in rows.keys} - left_out
        elif _holder(walk, scope, sources, select) is not None:
            keys.add(select.alias_or_name)
    return frozenset(keys)


def window_parts(window: exp.Window) -> list[exp.Expr]:
    """A window and the named windows it is made of."""
    parts: list[exp.Expr] = [window]
    select = window.find_ancestor(exp.Select)
    named = {w.this.name: w for w in (select.args.get("windows") or [])} if select else {}
    while (base := parts[-1].args.get("alias")) is not None and base.name in named and len(parts) <= len(named):
        parts.append(named[base.name])
    return parts


def line_of(node: exp.Expr) -> int:
    """The line a piece of SQL begins on, as far as the parser has kept it."""
    return min((found.meta["line"] for found in node.walk() if "line" in found.meta), default=1)


def _selects(query: exp.Expr) -> list[exp.Expr]:
    return list(query.selects) if isinstance(query, exp.Query) else []
