"""Answers that were given online are asked again of the lake: a difference is found, and blocks until a person has looked."""

import json
import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from mlpipe_assets.automation.problems import problems_now
from mlpipe_assets.catalog.declarations import Catalog
from mlpipe_assets.catalog.serving_log import serving_log
from mlpipe_assets.cli import main
from mlpipe_assets.engines.duckdb_engine import DuckDBEngine
from mlpipe_assets.flow import tables_of
from mlpipe_assets.outcome import Outcome
from mlpipe_assets.resources.run_lake import LakeResource
from mlpipe_assets.serving.parity_gate import ONLINE_PARITY, PARITY_TABLE, find_barred
from mlpipe_assets.serving.snapshots.rows import parse_rows
from mlpipe_assets.stages.features.asset import build_features
from mlpipe_assets.stages.online.parity import build_parity, parity_asset
from mlpipe_assets.stages.online.parity_plan import parity_work
from mlpipe_assets.stages.online.plan import online_work
from mlpipe_assets.stages.predictions.plan import prediction_work
from mlpipe_assets.store import keys
from mlpipe_assets.store.acceptances import accept
from mlpipe_assets.store.lake import Lake
from mlpipe_assets_tests.champions import crowned_lake
from mlpipe_assets_tests.planted import bring_in, day, drop_orders, publish_online, spend
from mlpipe_assets_tests.serving.asking import Asked, serving
from mlpipe_assets_tests.serving.logged import log_of, take_log, written

WHO = ["ann", "bob", "cyd", "nobody"]
BUCKETS = ("asked", "same", "corrected", "fresh", "incomparable", "differing")


@dataclass(kw_only=True)
class Serving:
    """A lake whose features are published, and a server of it."""

    lake: Lake
    catalog: Catalog
    asked: Asked

    @classmethod
    def on(cls, catalog: Catalog, lake: Lake, ttl: timedelta | None = None) -> "Serving":
        view = replace(catalog.feature_views[0], ttl=ttl)
        catalog = replace(
            catalog,
            sources=(*catalog.sources, serving_log),
            feature_views=(view,),
            models=(replace(catalog.models[0], view=view),),
        )
        publish_online(lake, catalog)
        return cls(lake=lake, catalog=catalog, asked=serving(lake, catalog, answers=log_of(lake)))

    def answer(self) -> None:
        """Answer for features and predictions of everybody, and log it."""
        assert self.asked.features("spend:*", customer_id=WHO).status_code == 200
        assert self.asked.post("/predict/returning", {"entities": {"customer_id": WHO}}).status_code == 200
        written(self.asked)

    def judge(self) -> Outcome:
        """Take the log through the lake, and judge its newest day."""
        return build_parity(self.lake, self.catalog, serving_log, [take_log(self.lake)[-1]])[0]

    def verdicts(self) -> dict[str, dict[str, Any]]:
        """The rows of the newest judged day, by kind."""
        on = self.lake.days("validation", ONLINE_PARITY)[-1]
        return {row["kind"]: row for row in self.lake.read("validation", ONLINE_PARITY, on).to_dicts()}

    def due(self) -> tuple[tuple[date, ...], tuple[tuple[date, str], ...]]:
        """Days to judge, and those that stay refused."""
        work = parity_work(self.lake, serving_log, lambda _: True)
        assert work.unreadable == ""
        return work.days, work.blocked

    def edit_log(self, edit: Callable[[dict[str, Any]], None]) -> None:
        """Change rows of the log by hand, before anybody has taken them."""
        for path in (self.lake.root / "raw/serving_log").glob("*.jsonl"):
            rows = [json.loads(line) for line in path.read_text().splitlines()]
            for row in rows:
                edit(row)
            path.write_text("".join(json.dumps(row) + "\n" for row in rows))


@pytest.fixture(scope="module")
def crowned(tmp_path_factory: pytest.TempPathFactory) -> tuple[Catalog, Lake]:
    """Features and a champion, made once."""
    catalog, lake, _ = crowned_lake(tmp_path_factory.mktemp("crowned"))
    return catalog, lake


@pytest.fixture
def served(crowned: tuple[Catalog, Lake], tmp_path: Path) -> Serving:
    catalog, lake = crowned
    shutil.copytree(lake.root, tmp_path / "data")
    return Serving.on(catalog, Lake(data_dir=str(tmp_path / "data")))


@contextmanager
def row_changed(lake: Lake, key: str, **features: object) -> Iterator[None]:
    """A row of the snapshot changed by hand in the SQLite file, and put back afterwards."""
    [path] = (lake.root / keys.ONLINE).glob(keys.ANY_SNAPSHOT)
    content, times = path.read_bytes(), path.stat()
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        [(place,)] = connection.execute("select place from views where name = 'spend'").fetchall()
        [(found,)] = connection.execute(f"select row from {place} where key = ?", (key,)).fetchall()
        [row] = parse_rows([found])
        assert row
        changed = [row[0], features.get("orders_3d", row[1]), *row[2:]]
        connection.execute(f"update {place} set row = ? where key = ?", (json.dumps(changed).encode(), key))
    yield
    path.write_bytes(content)
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))


def test_honest_answers_are_the_same(served: Serving) -> None:
    served.answer()

    outcome = served.judge()

    assert outcome.refused is None
    assert {kind: [row[name] for name in BUCKETS] for kind, row in served.verdicts().items()} == {
        "features": [4, 4, 0, 0, 0, 0],
        "prediction": [4, 4, 0, 0, 0, 0],
    }
    assert served.due() == ((), ())
    assert find_barred(served.lake, served.catalog) == {}


def test_a_row_changed_in_the_snapshot_blocks_from_the_log_to_the_answer(served: Serving) -> None:
    with row_changed(served.lake, "ann", orders_3d=999):
        served.answer()

    outcome = served.judge()

    said = "answers online are not what the lake says: features of spend in 1 of 4 answers asked again (orders_3d of 1)"
    assert outcome.refused == "answers online differ"
    assert said in outcome.breaches[0]
    assert "ann" not in outcome.breaches[0]
    assert "999" not in outcome.breaches[0]
    server = serving(served.lake, served.catalog)
    for answer in (
        server.features("spend:age", customer_id=["bob"]),
        server.post("/predict/returning", {"entities": {"customer_id": ["bob"]}}),
    ):
        assert answer.status_code == 503
        assert said in answer.json()["detail"]
    assert 'mlpipe_served_view{view="spend"} 0' in server.send("GET", "/metrics").text
    assert said in online_work(served.lake, served.catalog, lambda _: True).blocked[0][1]
    predictions = prediction_work(served.lake, served.catalog, served.catalog.models[0], lambda _: True)
    assert predictions.days == ()
    assert said in predictions.blocked[0][1]
    assert served.due()[0] == ()
    assert said in served.due()[1][0][1]


def test_a_running_server_stops_to_answer_and_begins_again_once_a_person_accepted(
    served: Serving, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with row_changed(served.lake, "ann", orders_3d=999):
        served.answer()
    on = served.judge().day
    server = served.asked
    assert server.server.state.look()
    assert server.features("spend:age", customer_id=["bob"]).status_code == 503

    accept(served.lake, PARITY_TABLE, [on], "one row was tried out by hand")
    assert served.due() == ((on,), ())
    [outcome] = build_parity(served.lake, served.catalog, serving_log, [on])

    assert (outcome.refused, outcome.accepted_because) == (None, "one row was tried out by hand")
    assert served.verdicts()["features"]["differing"] == 1
    assert server.server.state.look()
    assert server.features("spend:age", customer_id=["bob"]).status_code == 200
    assert online_work(served.lake, served.catalog, lambda _: True).blocked == ()


def test_an_acceptance_does_not_hold_for_answers_that_differ_later(served: Serving) -> None:
    with row_changed(served.lake, "ann", orders_3d=999):
        served.answer()
        on = served.judge().day
        accept(served.lake, PARITY_TABLE, [on], "one row was tried out by hand")
        served.asked.features("spend:*", customer_id=["ann"])
        written(served.asked)

    outcome = served.judge()

    assert outcome.refused == "answers online differ"
    assert served.due()[0] == ()


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        ({"answer": {"orders_3d": 3, "age": 31}}, "age of 1"),
        (
            {"answer": {"orders_3d": None, "age": None}, "statuses": dict.fromkeys(("orders_3d", "age"), "NOT_FOUND")},
            "age of 1",
        ),
        ({"as_of": "2026-01-06T00:00:00Z"}, "as_of of 1"),
        ({"as_of": None}, "as_of of 1"),
        ({"statuses": {"orders_3d": "PRESENT", "age": "OUTSIDE_MAX_AGE"}}, "age of 1"),
        ({"answer": {"orders_3d": 3, "no_such": 1}}, "no_such of 1"),
    ],
)
def test_a_changed_row_of_the_log_is_found_whatever_was_changed(
    served: Serving, edit: dict[str, Any], said: str
) -> None:
    served.answer()
    served.edit_log(lambda row: row.update(edit) if row["kind"] == "features" and row["row_number"] == 0 else None)

    assert said in served.judge().breaches[0]


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        ({"answer": {"probability": 0.123, "decision": True}}, "probability of 1"),
        ({"statuses": {"row": "NOT_FOUND"}}, "status of 1"),
    ],
)
def test_a_changed_prediction_is_found_by_the_version_that_answered(
    served: Serving, edit: dict[str, Any], said: str
) -> None:
    served.answer()
    served.edit_log(lambda row: row.update(edit) if row["kind"] == "prediction" and row["row_number"] == 0 else None)

    [breach] = served.judge().breaches

    assert "predictions of returning on spend in 1 of 4 answers" in breach
    assert said in breach
    assert "0.123" not in breach


def test_what_the_lake_has_corrected_since_is_no_difference(served: Serving) -> None:
    served.answer()
    drop_orders(served.lake, "orders_2026-07-01.csv", [("late", "ann", day(6), "5.00", "web")])
    bring_in(served.lake, replace(served.catalog, sources=served.catalog.sources[:2]))
    build_features(served.lake, DuckDBEngine(), served.catalog, spend, [day(6)])

    assert served.judge().refused is None

    found = served.verdicts()
    assert [found["features"][name] for name in BUCKETS] == [4, 3, 1, 0, 0, 0]
    assert found["prediction"]["corrected"] <= 1
    assert found["prediction"]["differing"] == 0


def test_a_wrong_answer_is_no_correction_because_another_day_was_corrected(served: Serving) -> None:
    with row_changed(served.lake, "ann", orders_3d=999):
        served.answer()
    drop_orders(served.lake, "orders_2026-07-01.csv", [("late", "zoe", day(1), "5.00", "web")])
    bring_in(served.lake, replace(served.catalog, sources=served.catalog.sources[:2]))
    build_features(served.lake, DuckDBEngine(), served.catalog, spend, [day(1)])

    assert "orders_3d of 1" in served.judge().breaches[0]


def test_without_a_record_of_the_snapshot_nothing_counts_as_corrected(served: Serving) -> None:
    served.answer()
    for path in (served.lake.root / keys.SNAPSHOTS).iterdir():
        path.unlink()
    drop_orders(served.lake, "orders_2026-07-01.csv", [("late", "ann", day(6), "5.00", "web")])
    bring_in(served.lake, replace(served.catalog, sources=served.catalog.sources[:2]))
    build_features(served.lake, DuckDBEngine(), served.catalog, spend, [day(6)])

    assert "orders_3d of 1" in served.judge().breaches[0]


def test_a_refused_day_is_judged_again_when_its_features_change(served: Serving) -> None:
    served.answer()
    served.edit_log(
        lambda row: (
            row.update(answer={"orders_3d": 4, "age": 30})
            if (row["kind"], row["row_number"]) == ("features", 0)
            else None
        )
    )
    on = served.judge().day
    assert served.due()[0] == ()
    drop_orders(served.lake, "orders_2026-07-01.csv", [("late", "ann", day(6), "5.00", "web")])
    bring_in(served.lake, replace(served.catalog, sources=served.catalog.sources[:2]))
    build_features(served.lake, DuckDBEngine(), served.catalog, spend, [day(6)])

    assert served.due() == ((on,), ())
    assert build_parity(served.lake, served.catalog, serving_log, [on])[0].refused is None
    assert find_barred(served.lake, served.catalog) == {}


def test_answers_of_an_age_are_held_to_the_moment_they_were_given_at(
    crowned: tuple[Catalog, Lake], tmp_path: Path
) -> None:
    catalog, lake = crowned
    shutil.copytree(lake.root, tmp_path / "data")
    shutil.copytree(lake.root, tmp_path / "short")
    served = Serving.on(catalog, Lake(data_dir=str(tmp_path / "data")), ttl=timedelta(days=1000))
    served.answer()
    short = Serving.on(catalog, Lake(data_dir=str(tmp_path / "short")), ttl=timedelta(days=2))
    short.answer()

    assert served.judge().refused is None
    assert short.judge().refused is None
    assert short.verdicts()["features"]["same"] == 4
    assert {row["age"] for row in map(json.loads, log_column(short, "statuses")) if "age" in row} == {
        "OUTSIDE_MAX_AGE",
        "NOT_FOUND",
    }
    other = replace(served.catalog.feature_views[0], ttl=timedelta(days=999))
    declared = replace(served.catalog, feature_views=(other,), models=())
    build_parity(served.lake, declared, serving_log, [take_log(served.lake)[-1]])
    assert served.verdicts()["features"]["incomparable"] == 4


def log_column(served: Serving, name: str) -> list[str]:
    rows = served.lake.read("interim", "serving_log", take_log(served.lake)[-1])
    return rows[name].to_list()


def test_answers_of_rows_newer_than_the_snapshot_are_left_to_the_next_days_build(served: Serving) -> None:
    served.answer()
    served.edit_log(lambda row: row.update(as_of="2026-01-08T00:00:00Z") if row["as_of"] else None)

    assert served.judge().refused is None

    assert [served.verdicts()["features"][name] for name in ("same", "fresh")] == [1, 3]


def test_a_version_that_is_gone_cannot_be_asked_and_says_so(served: Serving) -> None:
    served.answer()
    served.edit_log(lambda row: row.update(model_version="2020-01-01-1") if row["model"] else None)

    assert served.judge().refused is None

    assert [served.verdicts()["prediction"][name] for name in ("same", "incomparable")] == [0, 4]


def test_a_day_that_goes_on_is_judged_again_and_one_of_nobody_is_empty(served: Serving) -> None:
    served.answer()
    on = served.judge().day
    served.asked.features("spend:age", customer_id=["bob"])
    written(served.asked)
    take_log(served.lake)

    assert served.due() == ((on,), ())
    [empty] = build_parity(served.lake, served.catalog, serving_log, [day(3)])
    assert (empty.counts["rows"], empty.refused) == (0, None)


def test_a_sample_of_the_entities_is_asked_with_all_their_answers(
    served: Serving, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mlpipe_assets.serving.answered_parity.SAMPLE", 2)
    served.answer()
    served.answer()

    served.judge()

    assert [served.verdicts()["features"][name] for name in ("logged", "asked", "same")] == [8, 4, 4]


def test_the_check_of_the_asset_fails_and_names_the_day(served: Serving) -> None:
    with row_changed(served.lake, "ann", orders_3d=999):
        served.answer()
    [on] = take_log(served.lake)[-1:]

    result = dg.materialize(
        [parity_asset(served.catalog, serving_log)],
        selection=PARITY_TABLE,
        partition_key=f"{on}",
        resources={"lake": LakeResource(data_dir=str(served.lake.root))},
        raise_on_error=False,
    )

    assert not result.success
    [failed] = [one for one in result.get_asset_check_evaluations() if one.check_name == "answers_equal_offline"]
    assert (failed.passed, failed.blocking) == (False, True)
    assert f"[{on}] answers online are not what the lake says" in (failed.description or "")


def test_a_person_sees_it_in_status_and_accepts_it_by_command(
    served: Serving, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with row_changed(served.lake, "ann", orders_3d=999):
        served.answer()
    outcome = served.judge()
    [told] = [
        problem
        for problem in problems_now(served.lake, served.catalog, datetime.now(tz=UTC))["checks"]
        if problem.where == PARITY_TABLE
    ]
    assert "mlpipe accept validation/online_parity" in told.to_do
    monkeypatch.setenv("MLPIPE_DATA_DIR", str(served.lake.root))

    assert main(["accept", PARITY_TABLE, f"{outcome.day}", "--reason", "tried out by hand"]) == 0
    assert main(["accept", PARITY_TABLE, f"{outcome.day - timedelta(days=1)}", "--reason", "the day before"]) == 0

    assert served.due() == ((outcome.day,), ())
    assert "was not refused" in capsys.readouterr().out


def test_it_is_judged_before_anything_is_published(served: Serving) -> None:
    order = [table.key for table in tables_of(served.catalog)]
    without = replace(served.catalog, sources=served.catalog.sources[:2])

    assert order.index("features/spend") < order.index(PARITY_TABLE) < order.index("online/features")
    assert PARITY_TABLE not in [table.key for table in tables_of(without)]
    assert find_barred(served.lake, without) == {}
