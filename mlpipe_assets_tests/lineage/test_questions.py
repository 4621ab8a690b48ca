"""Every question about one small history: where something came from, what came of it, what differs."""

from collections.abc import Iterable
from pathlib import Path

import polars as pl
import pytest

from mlpipe_assets.errors import MissingPartitionError, SettingsError
from mlpipe_assets.lineage.asking import Lineage
from mlpipe_assets.lineage.terms import MODEL_VERSION, read_where
from mlpipe_assets_tests.lineage.history import BAD, MODEL, ask, lived

FIRST, SECOND = "2026-01-05-1", "2026-01-06-1"


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> Lineage:
    """The history, to be asked about."""
    return ask(*lived(tmp_path_factory.mktemp("lineage")))


def named(frame: pl.DataFrame) -> list[str]:
    """Artifacts by name, in order."""
    return [f"{table}@{partition}" for table, partition in frame.sort("id").select("table", "partition").rows()]


def features(*numbers: int) -> list[str]:
    return [f"features/spend@2026-01-0{number}" for number in numbers]


def test_all_artifacts_of_a_type_are_listed_with_their_properties(asked: Lineage) -> None:
    found = asked.artifacts(MODEL_VERSION)

    assert found.select("table", "partition", "is_held", "rows", "test_roc_auc").rows() == [
        ("models/returning", FIRST, True, 10, 1.0),
        ("models/returning", SECOND, True, 12, 1.0),
    ]


def test_artifacts_are_filtered_by_their_properties(asked: Lineage) -> None:
    found = asked.artifacts(table="interim/orders", where=read_where(["accepted_because=closed"]))

    assert named(found) == ["interim/orders@2026-01-07"]
    assert named(asked.artifacts(table="stg.orders", where={"rows": "17"})) == []
    with pytest.raises(SettingsError, match="'closed' is no condition"):
        read_where(["closed"])


def test_back_from_a_prediction_leads_to_its_features_model_and_files(asked: Lineage) -> None:
    found = asked.back("predictions/returning@2026-01-06")

    assert f"models/returning@{FIRST}" in named(found)
    assert f"models/returning@{SECOND}" not in named(found)
    files = found.filter(type="File").select("partition", "is_held").sort("partition", "is_held").rows()
    assert files == [
        ("customers_2026-01-01.csv", True),
        ("orders_2026-01-01.csv", True),
        ("orders_2026-01-02.csv", True),
        (BAD, False),  # the model learnt from what it held at first
        ("orders_2026-01-04.csv", True),
        ("orders_2026-01-05.csv", True),
        ("orders_2026-01-06.csv", True),
    ]


def test_what_came_of_a_file_stops_where_its_correction_took_over(asked: Lineage) -> None:
    before, after = contents(asked)

    came = asked.came_of(f"{BAD}#{before}")

    replaced = came.filter(~pl.col("is_held"))
    assert named(replaced) == ["raw/orders@2026-01-03", "interim/orders@2026-01-03", *features(3, 4, 5)]
    assert named(came.filter("is_held")) == [
        "processed/returning@2026-01-05",
        f"models/returning@{FIRST}",
        "predictions/returning@2026-01-06",
    ]
    corrected = asked.came_of(f"{BAD}#{after}")
    assert corrected["is_held"].all()
    assert named(corrected) == [
        "raw/orders@2026-01-03",
        "interim/orders@2026-01-03",
        *features(3, 4, 5),
        "processed/returning@2026-01-06",
        f"models/returning@{SECOND}",
        "predictions/returning@2026-01-07",
        "predictions/returning@2026-01-08",
    ]


def contents(asked: Lineage) -> tuple[str, str]:
    """The digests of the two contents of the file that was corrected."""
    files = asked.artifacts("File").filter(partition=BAD)["digest"].to_list()
    return files[0], files[1]


def test_a_file_that_was_corrected_is_asked_about_as_it_was_before(asked: Lineage) -> None:
    before, _ = contents(asked)

    assert named(asked.came_of(BAD)) == named(asked.came_of(f"{BAD}#{before[:8]}"))
    assert named(asked.came_of(f"raw/orders/{BAD}")) == named(asked.came_of(BAD))


def test_neighbours_are_one_step_away(asked: Lineage) -> None:
    found = asked.neighbours("features/spend@2026-01-08")

    assert sorted(named(found.filter(direction="input"))) == [
        "interim/customers@2026-01-01",
        *(f"interim/orders@2026-01-0{n}" for n in (6, 7, 8)),
    ]
    assert named(found.filter(direction="output")) == ["predictions/returning@2026-01-08"]


def test_the_graph_of_a_run_has_its_steps_and_what_they_made(asked: Lineage) -> None:
    executions, artifacts = asked.of_context("run", "corrected")

    made = ["raw/orders@2026-01-03", "interim/orders@2026-01-03", *features(3, 4, 5)]
    assert [one.name for one in executions] == made
    assert [one.key.name for one in artifacts] == made
    assert asked.graph(artifacts) == [
        ("interim/orders", "features/spend", 3),
        ("raw/orders", "interim/orders", 1),
    ]


def test_the_graph_of_a_model_has_its_decisions_in_their_order(asked: Lineage) -> None:
    executions, artifacts = asked.of_context("model", MODEL)

    decided = [one.properties for one in executions if one.type == "decision"]
    assert [(one["action"], one["version"]) for one in decided] == [
        ("promoted", FIRST),
        ("promoted", SECOND),
        ("rolled_back", FIRST),
    ]
    assert decided[-1]["reason"] == "worse than thought"
    assert [one.key.partition for one in artifacts if one.type == MODEL_VERSION] == [FIRST, SECOND]
    with pytest.raises(MissingPartitionError, match="no Model 'unknown' on record; there are returning"):
        asked.of_context("model", "unknown")


def test_two_versions_are_compared_by_what_they_learnt_from(asked: Lineage) -> None:
    found = asked.compare(f"{MODEL}@{FIRST}", f"{MODEL}@{SECOND}")

    assert not found["same_inputs"]
    assert [name.partition("#")[0] for name in found["inputs"]["only_first"]] == ["processed/returning@2026-01-05"]
    assert [name.partition("#")[0] for name in found["inputs"]["only_second"]] == ["processed/returning@2026-01-06"]
    assert found["properties"]["rows"] == (10, 12)
    same = asked.compare(f"{MODEL}@{FIRST}", f"{MODEL}@{FIRST}")
    assert (same["same_inputs"], same["properties"]) == (True, {})


def test_two_runs_are_compared_by_what_they_were_given(asked: Lineage) -> None:
    found = asked.compare("corrected", "accepted")

    assert not found["same_inputs"]
    assert bases(found["inputs"]["only_first"]) >= {"interim/orders@2026-01-01", f"raw/orders@{BAD}"}
    assert bases(found["inputs"]["same"]) == {"interim/customers@2026-01-01", "interim/orders@2026-01-05"}


def bases(names: Iterable[str]) -> set[str]:
    return {name.partition("#")[0] for name in names}


def test_whether_a_partition_was_made_of_just_this_before(asked: Lineage) -> None:
    as_made, behind = asked.has_run("features/spend@2026-01-05"), asked.has_run("processed/returning@2026-01-05")

    assert (as_made["has_run"], [one["run"] for one in as_made["executions"]], as_made["differs"]) == (
        True,
        ["corrected"],
        [],
    )
    assert not behind["has_run"]
    assert bases(behind["differs"]) == {"interim/orders@2026-01-03", *features(3)}
    with pytest.raises(MissingPartitionError, match="no such partition now"):
        asked.has_run("features/spend@2026-02-05")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("orders_2027.csv", "No file 'orders_2027.csv' is on record; there are orders_2026-01-01.csv"),
        ("interim/orders@2027-01-01", "of interim/orders there are 2026-01-01"),
        ("nowhere@2026-01-01", "There is no table 'nowhere' on record; there are features/spend"),
        (f"{BAD}#ffff", "No file"),
    ],
)
def test_what_is_not_on_record_is_said_with_what_is(asked: Lineage, name: str, said: str) -> None:
    with pytest.raises(MissingPartitionError, match=said):
        asked.came_of(name)


def test_blame_says_what_to_do_about_a_file_that_was_corrected(asked: Lineage) -> None:
    found = asked.blame(BAD)

    assert {one.table: (one.days, one.replaced) for one in found.tables} == {
        "raw/orders": ((), ("2026-01-03",)),
        "interim/orders": ((), ("2026-01-03",)),
        "features/spend": ((), ("2026-01-03", "2026-01-04", "2026-01-05")),
        "processed/returning": (("2026-01-05",), ()),
    }
    assert [(one.version, one.status) for one in found.models] == [(FIRST, "champion")]
    assert [(one.days, one.rows) for one in found.answered] == [(("2026-01-06",), 2)]
    assert [one.key.digest for one in found.others] == [contents(asked)[1]]
    assert [line.partition(" ")[0] for line in found.to_do] == ["Correct", "Train", "Withdraw"]
    assert f"{FIRST} leads, and learnt from it. No champion before it did without." in found.to_do[1]


def test_blame_of_a_file_in_force_asks_for_its_correction(asked: Lineage) -> None:
    found = asked.blame("orders_2026-01-08.csv")

    assert {one.table: one.days for one in found.tables} == {
        "raw/orders": ("2026-01-08",),
        "interim/orders": ("2026-01-08",),
        "features/spend": ("2026-01-08",),
    }
    assert (found.models, [one.rows for one in found.answered]) == ([], [2])
    assert found.to_do[0] == (
        "Deliver the file again, corrected, under the same name, then `mlpipe run`: it builds 3 partitions of 3 tables again."
    )


def test_lineage_is_closed_to_others(asked: Lineage) -> None:
    path = Path(asked.lake.root, "meta", "lineage", "metadata.sqlite")

    assert (path.stat().st_mode & 0o777, path.parent.stat().st_mode & 0o777) == (0o600, 0o700)
