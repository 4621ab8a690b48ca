"""Whether the engine that a process has its SQL run by reads all of a catalog's as it is meant."""

from collections.abc import Iterator

from mlpipe_assets.catalog.declarations import Catalog
from mlpipe_assets.catalog.places import spell_place
from mlpipe_assets.catalog.validation.promises import tables_of_model, tables_of_view
from mlpipe_assets.engines.registry import find_unread
from mlpipe_assets.errors import CatalogError


def expect_readable(catalog: Catalog, kind: str) -> None:
    """Make sure that an engine reads the SQL of every feature view and training set as it is meant.

    Args:
        catalog: What exists.
        kind: Of the engine, as MLPIPE_ENGINE names it.

    Raises: CatalogError with every part of a text that it does not, with file and line.
    """
    if problems := [*_problems(catalog, kind)]:
        raise CatalogError(problems)


def _problems(catalog: Catalog, kind: str) -> Iterator[str]:
    by = f"not for MLPIPE_ENGINE={kind}"
    for view in catalog.feature_views:
        if view.rows_of:
            continue
        place = view.place if view.is_declared else ""
        for line, words in find_unread(kind, catalog.view_sql(view), tables_of_view(catalog, view)):
            where = place or spell_place(f"{catalog.sql_dir / view.sql}", line)
            yield f"{where}: feature view {view.name!r}: {by}: {words}"
    for model in catalog.models:
        for line, words in find_unread(kind, catalog.read_sql(model.sql), tables_of_model(catalog, model)):
            yield f"{spell_place(f'{catalog.sql_dir / model.sql}', line)}: model {model.name!r}: {by}: {words}"
