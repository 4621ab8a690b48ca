"""Days that were due when a new champion is crowned get the answers of the one that had led until then, or are named."""

import random
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import dagster as dg
import pytest

from mlpipe_assets.automation.catch_up import Summary, catch_up
from mlpipe_assets.catalog.declarations import Catalog
from mlpipe_assets.catalog.learners import Promotion
from mlpipe_assets.partitions import days_between
from mlpipe_assets.pipeline import build_definitions
from mlpipe_assets.settings import read_settings
from mlpipe_assets.stages.predictions.plan import prediction_work
from mlpipe_assets.stages.work import spell_blocked
from mlpipe_assets.store.lake import Lake
from mlpipe_assets.training.champions import champions
from mlpipe_assets_tests.champions import learning_catalog
from mlpipe_assets_tests.planted import START, day, drop_customers, drop_orders

FIRST, LAST = 14, 22  # the newest day of the first run, and of the second
pytestmark = pytest.mark.long

PEOPLE = [f"c{n}" for n in range(12)]


def drop_days(lake: Lake, first: int, last: int) -> None:
    """A file of each day; half of the customers order seldom, so that not all come back."""
    chance = random.Random(first)
    for n in range(first, last + 1):
        who = [person for i, person in enumerate(PEOPLE) if chance.random() < (0.6 if i % 2 else 0.2)]
        drop_orders(lake, f"orders_{day(n)}.csv", [(f"{person}-{n}", person, day(n), "1.00", "web") for person in who])


def run(lake: Lake, catalog: Catalog, instance: dg.DagsterInstance) -> Summary:
    settings = replace(read_settings(), data_dir=lake.root)
    return catch_up(lake, catalog, lambda: (build_definitions(catalog, settings), instance), lambda _: True)


def answered_by(lake: Lake) -> dict[int, str]:
    """The version that answered for each day, by the number of the day."""
    days = lake.days("predictions", "returning")
    return {(d - START).days + 1: lake.read("predictions", "returning", d)["model_version"][0] for d in days}


@pytest.fixture(scope="module")
def retrained(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Lake, Catalog, dg.DagsterInstance]]:
    """A lake with a champion, to which eight days came at once; the run that took them trained again."""
    root = tmp_path_factory.mktemp("due")
    catalog, lake = learning_catalog(root / "sql"), Lake(data_dir=str(root / "data"))
    easy = Promotion(min_roc_auc=0.0, max_log_loss_ratio=10.0, tolerance=1.0)
    catalog = replace(catalog, models=(replace(catalog.models[0], promotion=easy),))
    with dg.DagsterInstance.ephemeral(tempdir=str(root)) as instance:
        drop_customers(lake, f"customers_{START}.csv", [(who, 30, "north", START) for who in PEOPLE])
        drop_days(lake, 1, FIRST)
        assert run(lake, catalog, instance).errors == []
        drop_days(lake, FIRST + 1, LAST)
        assert run(lake, catalog, instance).errors == []
        yield lake, catalog, instance


def test_days_that_came_with_a_retraining_are_answered_by_the_champion_before(
    retrained: tuple[Lake, Catalog, dg.DagsterInstance],
) -> None:
    lake, _, _ = retrained
    old, new = champions(lake, "returning")

    assert old.as_of == day(FIRST)
    assert new.as_of == day(LAST)
    assert answered_by(lake) == {**dict.fromkeys(range(FIRST, LAST), old.version), LAST: new.version}


def test_days_that_the_champion_before_cannot_answer_any_more_are_errors_until_it_can(
    retrained: tuple[Lake, Catalog, dg.DagsterInstance], tmp_path: Path
) -> None:
    lake, catalog, instance = retrained
    before = answered_by(lake)
    old = champions(lake, "returning")[0].version
    model = lake.root / "models" / "returning" / old / "model.skops"
    shutil.copy2(model, tmp_path)
    model.write_bytes(b"")
    missed = days_between(day(16), day(17))
    for on in missed:
        shutil.rmtree(lake.folder("predictions", "returning", on))

    [error] = run(lake, catalog, instance).errors

    assert error.startswith(
        f"predictions/returning {day(16)} to {day(17)}: due when {old} led, which cannot answer any more: models/returning/"
    )
    assert [line for _, line in spell_blocked(prediction_work(lake, catalog, catalog.models[0], lambda _: True))] == [
        error
    ]
    assert 16 not in answered_by(lake)

    shutil.copy2(tmp_path / "model.skops", model)
    assert run(lake, catalog, instance).errors == []
    assert answered_by(lake) == before
