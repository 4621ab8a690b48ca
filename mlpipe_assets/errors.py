"""Errors a user can act on: who, what, how many, an example, what to do."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager


class MlpipeError(Exception):
    """A problem in the data or the set-up that the message explains in full; shown without a traceback."""


class SettingsError(MlpipeError):
    """An environment variable or a declaration holds a value we cannot use."""


class CatalogError(SettingsError):
    """The catalog does not hold together: every reason, each with file and line where one is known."""

    def __init__(self, problems: list[str]) -> None:
        self.problems = problems
        listed = problems[0] if len(problems) == 1 else "".join(f"\n  - {problem}" for problem in problems)
        super().__init__(f"The catalog does not hold together: {listed}")


class PrepareError(MlpipeError):
    """A source's own function failed on its text."""


class LakeError(MlpipeError):
    """The data folder cannot be read or written."""


class DamagedError(LakeError):
    """A file of the lake does not hold what was written to it.

    Attributes:
        lost: Event files that cannot be made again, by path below the data folder.
    """

    def __init__(self, message: str, *, lost: Iterable[str] = ()) -> None:
        self.lost = tuple(sorted(lost))
        super().__init__(message)


class BusyError(MlpipeError):
    """Another run is writing the same table."""


class ExecutorError(MlpipeError):
    """The executors of a cluster cannot be reached, or cannot do the work as this process would."""


class RunError(MlpipeError):
    """A run left data that needs a person: every reason."""

    def __init__(self, problems: list[str]) -> None:
        self.problems = problems
        listed = problems[0] if len(problems) == 1 else "".join(f"\n  - {problem}" for problem in problems)
        super().__init__(f"What could be built was built; a person has to look at the rest: {listed}")


class SqlError(MlpipeError):
    """A SQL file breaks the house rules, or the engine refused it."""


class MissingPartitionError(MlpipeError):
    """A partition that does not exist was asked for."""


@contextmanager
def naming(file: str) -> Iterator[None]:
    """Say of which SQL file an error of the engine is.

    Raises: SqlError with the file in front.
    """
    try:
        yield
    except SqlError as error:
        raise SqlError(f"{file}: {error}") from error


def shorten(items: list[str], limit: int = 5) -> str:
    """The first `limit` items, comma separated, with a count of the rest."""
    head = ", ".join(items[:limit])
    return head if len(items) <= limit else f"{head} and {len(items) - limit:,} more"


def spell_count(count: int, noun: str, plural: str = "") -> str:
    """A number with what it counts: `1 row`, `1,204 rows`; `plural` where the noun takes more than an s."""
    return f"{count:,} {noun if count == 1 else plural or f'{noun}s'}"
