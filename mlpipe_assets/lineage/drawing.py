"""What came of something, as a picture: a box a table, from left to right as data flows."""

from collections.abc import Mapping, Sequence

from mlpipe_assets.errors import spell_count
from mlpipe_assets.lineage.blame import Blame
from mlpipe_assets.lineage.terms import FILE, Artifact
from mlpipe_assets.pictures.drawing import cut, draw_picture, draw_text, px
from mlpipe_assets.pictures.theme import colour_of
from mlpipe_assets.visible import escape

FILES = "files"
_WIDE, _HIGH, _GAP, _BETWEEN, _EDGE = 232.0, 58.0, 56.0, 18.0, 12.0
_TOP, _LEGEND = 40.0, 26.0
_LETTERS = 28  # that fit a box


def draw_blame(found: Blame, edges: Sequence[tuple[str, str, int]], order: Sequence[str]) -> str:
    """An SVG of what came of something: in red what is in force now, in grey what was replaced since.

    Args:
        found: What came of it.
        edges: From which table to which, and in how many partitions; `files` stands for files.
        order: The tables in flow order.
    """
    kinds: dict[str, list[Artifact]] = {}
    for one in (*found.of, *found.found):
        kinds.setdefault(FILES if one.type == FILE else one.key.table, []).append(one)
    edges = [edge for edge in edges if edge[0] in kinds and edge[1] in kinds and edge[0] != edge[1]]
    columns = _columns([*kinds], edges, order)
    places = _places(columns)
    width = _EDGE * 2 + len(columns) * _WIDE + (len(columns) - 1) * _GAP
    height = _TOP + max(map(len, columns)) * (_HIGH + _BETWEEN) + _LEGEND
    title = f"What came of {', '.join(one.key.name for one in found.of[:2])}"
    lines = [_draw_edge(places[first], places[second], count) for first, second, count in edges]
    boxes = [_draw_box(places[name], name, kinds[name], found) for name in kinds]
    legend = [
        draw_text("red: in force now · grey: replaced since · numbers: partitions that came of it", _EDGE, height - 10)
    ]
    head = draw_text(cut(title, int(width / 7.5)), _EDGE, 22, size=13, colour="ink", weight=600)
    description = "; ".join(
        [*(f"{first} to {second}, {count} partitions" for first, second, count in edges), *found.to_do]
    )
    return draw_picture((round(width), round(height)), title, description, [head, *lines, *boxes, *legend])


def _columns(names: Sequence[str], edges: Sequence[tuple[str, str, int]], order: Sequence[str]) -> list[list[str]]:
    """Tables by how many steps they are from the start, each column in flow order."""
    depth = dict.fromkeys(names, 0)
    for _ in names:  # as many rounds as the longest way can have steps
        for first, second, _count in edges:
            depth[second] = max(depth[second], min(depth[first] + 1, len(names)))
    place = {name: number for number, name in enumerate(order)}
    used = sorted({*depth.values()})
    return [sorted((n for n in names if depth[n] == step), key=lambda n: (place.get(n, -1), n)) for step in used]


def _places(columns: Sequence[Sequence[str]]) -> Mapping[str, tuple[float, float]]:
    """The upper left corner of each box; shorter columns stand in the middle."""
    most = max(map(len, columns))
    return {
        name: (
            _EDGE + column * (_WIDE + _GAP),
            _TOP + (row + (most - len(names)) / 2) * (_HIGH + _BETWEEN),
        )
        for column, names in enumerate(columns)
        for row, name in enumerate(names)
    }


def _draw_edge(start: tuple[float, float], end: tuple[float, float], count: int) -> str:
    x, y, to_x, to_y = start[0] + _WIDE, start[1] + _HIGH / 2, end[0], end[1] + _HIGH / 2
    bend = max(24.0, (to_x - x) / 2)
    line = f"M{px(x)} {px(y)}C{px(x + bend)} {px(y)} {px(to_x - bend)} {px(to_y)} {px(to_x - 5)} {px(to_y)}"
    tip = f"M{px(to_x - 7)} {px(to_y - 4)}l7 4l-7 4z"
    grey = colour_of("muted")
    return (
        f'<g><title>{spell_count(count, "partition")}</title><path d="{line}" fill="none" stroke="{grey}" stroke-opacity="0.6"/>'
        f'<path d="{tip}" fill="{grey}"/></g>'
    )


def _draw_box(place: tuple[float, float], name: str, own: Sequence[Artifact], found: Blame) -> str:
    x, y = place
    held = [one for one in own if one.is_held]
    colour = colour_of("drift" if held else "muted")
    of_it = any(one in found.of for one in own)
    second, third = _lines(name, own, held, found)
    label = own[0].key.partition if name == FILES and len(own) == 1 else name
    return (
        f"<g><title>{escape(f'{label}: {second}')}</title>"
        f'<rect x="{px(x)}" y="{px(y)}" width="{px(_WIDE)}" height="{px(_HIGH)}" rx="6" fill="{colour_of("paper")}" '
        f'stroke="{colour}" stroke-width="{3 if of_it else 1.5}"/>'
        + draw_text(cut(label, _LETTERS), x + 10, y + 20, colour="ink", size=12, weight=600)
        + draw_text(cut(second, _LETTERS + 4), x + 10, y + 36)
        + draw_text(cut(third, _LETTERS + 4), x + 10, y + 50)
        + "</g>"
    )


def _lines(name: str, own: Sequence[Artifact], held: Sequence[Artifact], found: Blame) -> tuple[str, str]:
    """What stands below the name of a box."""
    learnt = [one for one in found.models if name == f"models/{one.model}"]
    if learnt:
        leads = next((one for one in learnt if one.status == "champion"), None)
        return spell_count(len(learnt), "version"), f"champion {leads.version}" if leads else "none of them leads"
    parts = sorted({one.key.partition for one in held or own})
    replaced = len(own) - len(held)
    counts = [f"{len(held):,} now"] if held else []
    counts += [f"{replaced:,} before"] if replaced else []
    return ", ".join(counts), parts[0] if len(parts) == 1 else f"{parts[0]} to {parts[-1]}"
