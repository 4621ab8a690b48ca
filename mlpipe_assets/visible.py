"""Text of others (file names, values, column names) as one visible line: nothing in it acts on a terminal or a page."""

import html
import json
import unicodedata
from collections.abc import Mapping
from decimal import Decimal

_ACTING = {"Cc", "Cf", "Cs", "Zl", "Zp"}  # controls, bidi and other invisible marks, odd bytes of names, line ends


def visible(text: str) -> str:
    r"""A text with everything that is not seen, or that moves what is, written out: a line feed as `\n`, ESC as `\x1b`.

    Letters of every script stay as they are. The result is one line, so that a name cannot forge a second one.
    """
    if text.isprintable():
        return text
    return "".join(_written(char) for char in text)


def visible_lines(text: str) -> str:
    """The same for a message of ours in several lines: each line is made visible, the line ends stay."""
    return "\n".join(visible(line) for line in text.split("\n"))


def spell_value(value: object) -> str:
    """A value of a table as people read it: lists and structs as JSON, their dates and decimals as SQL writes them."""
    return str(value) if not isinstance(value, bool | list | tuple | Mapping) else _in_json(value)


def _in_json(value: object) -> str:
    if value is None or isinstance(value, bool):
        return json.dumps(value)
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{_in_json(str(name))}: {_in_json(one)}' for name, one in value.items())}}}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_in_json, value))}]"
    return str(value) if isinstance(value, int | float | Decimal) else json.dumps(str(value), ensure_ascii=False)


def escape(text: str) -> str:
    """The same for a page: visible, and no mark-up."""
    return html.escape(visible(text))


def _written(char: str) -> str:
    if unicodedata.category(char) not in _ACTING:
        return char
    if "\udc80" <= char <= "\udcff":  # a byte of a file name that is no UTF-8, as Python hands it over
        return f"\\x{ord(char) - 0xDC00:02x}"
    return char.encode("unicode_escape").decode("ascii")
