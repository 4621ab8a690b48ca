"""mlpipe show-sql and mlpipe scaffold: what follows from the declaration of a feature view."""

import argparse
import re

from mlpipe_assets.catalog.loading import catalog_of
from mlpipe_assets.catalog.view_sql.columns import write_contract
from mlpipe_assets.errors import CatalogError
from mlpipe_assets.settings import read_settings


def show_sql(options: argparse.Namespace) -> int:
    """The SQL of a view, with days in place of its parameters where they are given.

    Raises: CatalogError, after it is printed, where the catalog does not hold together: what is said of its lines can be looked up.
    """
    wrong: CatalogError | None = None
    try:
        catalog = catalog_of(read_settings())
    except CatalogError as error:
        wrong, catalog = error, catalog_of(read_settings(), judged=False)
    try:
        sql = catalog.view_sql(catalog.view(options.view))
    except Exception:
        if wrong:  # what it lacks may be what keeps its SQL from being written
            raise wrong from None
        raise
    days = {name: day for name, day in (("start", options.first), ("end", options.last)) if day}
    print("\n".join(_filled(line, days) for line in sql.rstrip("\n").split("\n")), flush=True)
    if wrong:
        raise wrong
    return 0


def _filled(line: str, days: dict[str, object]) -> str:
    """A line with dates in place of parameters; comments speak of these as they are."""
    code, dashes, comment = line.partition("--")
    for name, day in days.items():
        code = re.sub(rf"\${name}\b", f"date '{day}'", code)
    return f"{code}{dashes}{comment}"


def scaffold(options: argparse.Namespace) -> int:
    """The module of a contract that promises what a view declares.

    Raises: CatalogError when what it declares does not hold, whatever its contract says.
    """
    from mlpipe_assets.catalog.validation.declared_views import objections_to_declaration  # noqa: PLC0415 (opens the engine)

    catalog = catalog_of(read_settings(), judged=False)
    view = catalog.view(options.name)
    if problems := [*objections_to_declaration(catalog, view)]:
        raise CatalogError([f"{view.place}: feature view {view.name!r}: {problem}" for problem in problems])
    print(write_contract(catalog, view), end="")
    return 0
