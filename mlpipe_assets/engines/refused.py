"""What an engine refuses, as values: its own words, the line, and what it is about, so that who asked can add advice."""

from dataclasses import dataclass
from enum import Enum, auto

from mlpipe_assets.errors import SqlError


class Reason(Enum):
    """What is wrong with a SQL text, where an engine can tell."""

    OTHER = auto()
    EMPTY = auto()  # no statement
    SEVERAL = auto()  # more than one
    WRITES = auto()  # it does something else than read
    LEAVES = auto()  # it opens something that is none of its tables
    NO_TABLE = auto()
    NO_COLUMN = auto()
    NO_PARAMETER = auto()


@dataclass(frozen=True, kw_only=True)
class Refusal:
    """Why an engine does not run a text.

    Attributes:
        reason: What kind of fault it is.
        words: The fault in one line, without a full stop.
        said: All that the engine says of it, also where in the text.
        line: Of the text, from 1; None where the engine does not know.
        name: The table, column, parameter or file it is about.
    """

    reason: Reason = Reason.OTHER
    words: str = ""
    said: str = ""
    line: int | None = None
    name: str = ""


_UNKNOWN = Refusal()


class RefusedSqlError(SqlError):
    """The engine does not run a text, or cannot hand over what it answers."""

    def __init__(self, message: str, refusal: Refusal = _UNKNOWN) -> None:
        self.refusal = refusal
        super().__init__(message)
