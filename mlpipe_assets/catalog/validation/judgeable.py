"""Whether polars can judge the rules of a catalog's contracts, found by running each over a row of nulls; and its estimators.

That starts the threads of polars, and a program with threads may hang when it forks. So a catalog does not ask this while it
is imported, as other tools may import it; who loads one to work with it does.
"""

from collections.abc import Iterator
from functools import cache

import polars as pl

from mlpipe_assets.catalog.declarations import Catalog
from mlpipe_assets.catalog.validation.estimator_trials import estimator_problems
from mlpipe_assets.errors import CatalogError
from mlpipe_assets.rules import Contract, columns, rules


def expect_judgeable(catalog: Catalog) -> None:
    """Make sure that the rules of every contract can be judged, and every declared estimator be fitted and stored.

    Raises: CatalogError with every one that cannot, and the place of the declaration it belongs to.
    """
    problems = [f"{where}: {line}" for where, contract in _contracts(catalog) for line in unjudgeable(contract)]
    problems += [
        f"{model.place}: model {model.name!r}: {line}" for model in catalog.models for line in estimator_problems(model)
    ]
    if problems:
        raise CatalogError(problems)


@cache
def unjudgeable(contract: Contract) -> tuple[str, ...]:
    """The rules of a contract that polars cannot judge, and why; a user's own function waits for rows."""
    nulls = pl.DataFrame({c.name: pl.Series([None], dtype=c.dtype) for c in columns(contract) if c.dtype != pl.Object})
    found: list[str] = []
    for rule in rules(contract):
        try:
            if isinstance(rule.violated, pl.Expr):
                nulls.select(rule.violated)
        except pl.exceptions.PolarsError as error:
            shown = str(error).strip().splitlines()[0].rstrip(":")[:200]
            found.append(f"the rule {rule.text!r} on {rule.column} of {contract.__name__} cannot be judged: {shown}")
    return tuple(found)


def _contracts(catalog: Catalog) -> Iterator[tuple[str, Contract]]:
    """The contracts of a catalog, each with place and name of its declaration."""
    for source in catalog.sources:
        yield f"{source.place}: source {source.name!r}", source.contract
    for view in catalog.feature_views:
        yield f"{view.place}: feature view {view.name!r}", view.contract
    for model in catalog.models:
        where = f"{model.place}: model {model.name!r}"
        yield where, model.contract
        if model.predictions is not None:
            yield where, model.predictions
