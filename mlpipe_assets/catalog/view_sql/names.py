"""Names of columns in the SQL that is written from a declaration."""

from mlpipe_assets.catalog.sql_words import spell_name

TOTAL = "_"
"""What the names of columns with totals begin with, in what the select gives; those of features begin with a letter."""


class Names:
    """Names of columns in the text, each given once."""

    def __init__(self, taken: tuple[str, ...]) -> None:
        self._taken = {name.casefold() for name in taken}

    def take(self, name: str) -> str:
        """That name, or one with a number behind it where that is taken."""
        numbered = (f"{name}_{number}" for number in range(2, len(self._taken) + 3))
        free = next(new for new in (name, *numbered) if new.casefold() not in self._taken)
        self._taken.add(free.casefold())
        return spell_name(free)
