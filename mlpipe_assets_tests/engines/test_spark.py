"""The SQL written of declared views on a real Spark: the same rows with the same types as DuckDB gives, from one text.

pyspark is none of our requirements: an environment with the pinned one is made once, in the user's cache. Without Java these
tests are skipped, and fail where CI is set.
"""

import json
import os
import random
import subprocess
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from mlpipe_assets.catalog.declarations import FeatureView
from mlpipe_assets.engines.duckdb_engine import DuckDBEngine
from mlpipe_assets.engines.engine import Slice
from mlpipe_assets_tests.catalog.declared import FIRST, LAST, SCHEMA, catalog_of, params_for, tables_for
from mlpipe_assets_tests.catalog.test_view_text import BY_TWO_KEYS, EVERYTHING
from mlpipe_assets_tests.catalog.test_view_text_as_known import BEGUN, TIME
from mlpipe_assets_tests.fetched import expect_tools, fetch_packages

pytestmark = [pytest.mark.slow, pytest.mark.long]

VERSION = "4.3.0"
VIEWS = {
    "every function": EVERYTHING,
    "two keys": BY_TWO_KEYS,
    "every function as known": replace(EVERYTHING, late="as_known"),
    "two keys as known": replace(BY_TWO_KEYS, late="as_known"),
}


def python_with_spark() -> Path:
    """The Python of an environment with pyspark, made once for all projects of this user."""
    expect_tools("Spark", "java")
    return fetch_packages(f"pyspark-{VERSION}", f"pyspark=={VERSION}").parents[2] / "bin" / "python"


def rows_of_two_weeks() -> list[dict[str, Any]]:
    """Forty rows of three people in two shops, with nulls in every column that may have them, and times that tie."""
    draw = random.Random(7)

    def maybe(value: Any) -> Any:
        return None if draw.random() < 1 / 5 else value

    found: list[dict[str, Any]] = []
    for number in range(40):
        day = FIRST + timedelta(days=draw.randint(-3, 13))
        found.append(
            {
                "who": draw.choice(["a|b", "a", "ä"]),
                "shop": draw.choice([1, -7]),
                "date": day,
                "at": datetime(day.year, day.month, day.day, draw.choice([0, 11, 22]), tzinfo=UTC),
                "id": f"{number}",
                "whole": maybe(draw.randint(-4, 9)),
                "number": draw.randint(-3, 3),
                "money": maybe(Decimal(draw.randint(-(10**9), 10**9)) / 100),
                "fine": maybe(Decimal(draw.randint(-(10**16), 10**16)).scaleb(-6)),
                "wide": maybe(Decimal(draw.randint(-(10**20), 10**20)).scaleb(-4)),
                "ratio": maybe(draw.randint(-(10**6), 10**6) / 8),
                "word": maybe(draw.choice(["a", "b", "", "Z", "ö"])),
                "on": maybe(draw.choice([FIRST, LAST])),
                "flag": maybe(draw.random() < 1 / 2),
                "known_at": datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(hours=draw.randint(1, 99)),
            }
        )
    return found


def asked_of(view: FeatureView) -> tuple[str, dict[str, Slice], dict[str, date]]:
    """The text of a view, its tables and its parameters, over the two weeks."""
    text, tables = catalog_of(view).view_sql(view), tables_for(view, [], FIRST, LAST)
    placed = pl.DataFrame(rows_of_two_weeks(), schema={**SCHEMA, "known_at": TIME})
    if not view.is_as_known:
        return text, {**tables, "events": placed.drop("known_at")}, params_for(view, FIRST, LAST)
    gone = placed.with_columns(known_until=pl.col("known_at") + pl.duration(hours=60))
    second = pl.int_range(pl.len()) % 2 == 0
    tables |= {"events": placed.filter(~second), "events_versions": gone.filter(second)}
    return text, tables, {"start": FIRST, "end": LAST, "begun": BEGUN}


@pytest.fixture(scope="module")
def answered(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, pl.DataFrame]:
    """What Spark says of each view, in one session."""
    folder = tmp_path_factory.mktemp("spark")
    cases: list[dict[str, Any]] = []
    for number, view in enumerate(VIEWS.values()):
        text, tables, params = asked_of(view)
        paths = {name: folder / f"{number}-{name}.parquet" for name in tables}
        for name, table in tables.items():
            assert isinstance(table, pl.DataFrame)
            table.write_parquet(paths[name])
        spelt = {name: one.isoformat() for name, one in params.items()}
        where = {name: f"{path}" for name, path in paths.items()}
        cases.append({"sql": text, "tables": where, "params": spelt, "out": f"{folder / f'{number}-answer'}"})
    (folder / "cases.json").write_text(json.dumps(cases))
    python = python_with_spark()
    done = subprocess.run(
        [f"{python}", f"{Path(__file__).with_name('spark_session.py')}", f"{folder / 'cases.json'}"],
        env={**os.environ, "PYSPARK_PYTHON": f"{python}"},
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return {
        name: pl.read_parquet(f"{case['out']}/*.parquet", hive_partitioning=False)
        for name, case in zip(VIEWS, cases, strict=True)
    }


@pytest.mark.parametrize("name", VIEWS)
def test_spark_answers_the_written_text_as_duckdb_does(answered: Mapping[str, pl.DataFrame], name: str) -> None:
    view = VIEWS[name]

    wanted = DuckDBEngine().select(*asked_of(view))

    assert wanted.height > 30  # nothing is equal for being empty
    found = answered[name].select(wanted.columns)
    order = ["as_of", *view.entity.join_keys]
    assert_frame_equal(found.sort(order), wanted.sort(order), rel_tol=1e-12, abs_tol=0)
