"""Rules that polars cannot judge: refused by whoever loads a catalog, and not by the import of one."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import pandera.polars as pa
import polars as pl
import pytest

from mlpipe_assets.catalog.contents import CATALOG
from mlpipe_assets.catalog.declarations import Catalog
from mlpipe_assets.catalog.loading import load_catalog
from mlpipe_assets.catalog.sources import orders
from mlpipe_assets.catalog.validation.judgeable import expect_judgeable
from mlpipe_assets.contracts.sourced import Sourced
from mlpipe_assets.errors import CatalogError
from mlpipe_assets.pipeline import build_definitions
from mlpipe_assets.project import Project

UtcTime = Annotated[pl.Datetime, "us", "UTC"]
_FORK = """
import os, signal
import polars as pl
import mlpipe_assets.catalog.contents
child = os.fork()
if not child:
    signal.alarm(30)
    pl.DataFrame({"a": [1]}).lazy().select(pl.col("a") + 1).collect()
    os._exit(0)
print(os.waitpid(child, 0)[1])
"""


class Visits(Sourced):
    """Visits. Grain: order_id."""

    order_id: str
    order_ts: UtcTime


class Texts(Visits):
    """Visits with a rule that compares a number with a text. Grain: order_id."""

    x: int = pa.Field(ge="0")


TEXTS = Catalog(sources=(replace(orders, contract=Texts),))
SAID = "source 'orders': the rule '>= 0' on x of Texts cannot be judged: cannot compare string with numeric type"


@pytest.mark.parametrize(
    ("kind", "told", "said"),
    [
        (int, {"ge": "0"}, "the rule '>= 0' on x of Visits cannot be judged: cannot compare string with numeric type"),
        (str, {"isin": [1, 2]}, "the rule 'in [1, 2]' on x of Visits cannot be judged: "),
        (int, {"str_matches": "a"}, "the rule 'matches a' on x of Visits cannot be judged: expected String type"),
        (str, {"str_matches": "(?!a)b"}, "cannot be judged: regex error"),
    ],
)
def test_a_rule_that_no_row_can_be_held_to_is_refused(kind: Any, told: dict[str, Any], said: str) -> None:
    body = {"__annotations__": {"x": kind}, "__module__": __name__, "x": pa.Field(**told)}
    contract = type("Visits", (Visits,), body)

    with pytest.raises(CatalogError) as raised:
        expect_judgeable(Catalog(sources=(replace(orders, contract=contract),)))

    [problem] = raised.value.problems
    assert said in problem


def test_rules_of_every_kind_of_contract_are_looked_at() -> None:
    def odd(contract: Any) -> Any:
        body = {"__annotations__": {"as_of": UtcTime}, "__module__": __name__, "as_of": pa.Field(str_matches="a")}
        return type("Odd", (contract,), body)

    [view, *_], [model, *_] = CATALOG.feature_views, CATALOG.models
    views = (replace(view, contract=odd(view.contract)),)
    taught = replace(model, contract=odd(model.contract), predictions=odd(model.predictions), view=views[0])

    with pytest.raises(CatalogError) as raised:
        expect_judgeable(replace(CATALOG, feature_views=views, models=(taught,), monitors=()))

    assert [problem.partition(": ")[2].partition(": the rule")[0] for problem in raised.value.problems] == [
        "feature view 'customer_features'",
        "model 'repeat_purchase'",
        "model 'repeat_purchase'",
    ]


def test_whoever_loads_a_catalog_to_work_with_it_refuses_such_rules(tmp_path: Path) -> None:
    with pytest.raises(CatalogError) as by_reference:
        load_catalog(f"{__name__}:TEXTS")
    with pytest.raises(CatalogError) as by_dagster:
        build_definitions(TEXTS)
    with pytest.raises(CatalogError) as from_python:
        Project(tmp_path, catalog=TEXTS)

    for refused in (by_reference, by_dagster, from_python):
        assert SAID in f"{refused.value}"


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="forks")
def test_a_program_that_imported_a_catalog_can_fork() -> None:
    ended = subprocess.run([sys.executable, "-c", _FORK], capture_output=True, text=True, check=False, timeout=120)

    assert (ended.stdout, ended.returncode) == ("0\n", 0), ended.stderr
