"""The judgement of a contract: every bad row with every reason, in few words, without personal values."""

import pandera.polars as pa
import polars as pl
from polars.testing import assert_series_equal

from mlpipe_assets.gate import judge, structural_problems, summarise


class People(pa.DataFrameModel):
    """People. Grain: person_id."""

    person_id: str = pa.Field(unique=True)
    email: str = pa.Field(str_matches=r".+@.+", metadata={"personal": True})
    age: pl.Int64 = pa.Field(ge=0, nullable=True)

    class Config:
        strict = True


def people(*rows: tuple[str | None, str | None, int | None]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema={"person_id": pl.String, "email": pl.String, "age": pl.Int64}, orient="row")


def test_a_frame_that_holds_has_no_refused_rows() -> None:
    judgement = judge(people(("a", "a@x", 1), ("b", "b@x", None)), People)

    assert (judgement.holds, judgement.refused_count, judgement.errors()) == (True, 0, [])


def test_an_empty_frame_holds() -> None:
    assert judge(people(), People).holds


def test_every_bad_row_is_named_with_every_reason() -> None:
    judgement = judge(people(("a", "nobody", -1), ("b", "b@x", 5), ("a", "c@x", 6), (None, "d@x", -7)), People)

    assert judgement.refused is not None
    assert judgement.refused.to_list() == [True, False, True, True]
    expected = [
        r"email: matches .+@.+; age: >= 0; person_id: unique",
        "person_id: unique",
        "person_id: is null; age: >= 0",
    ]
    assert_series_equal(judgement.reasons, pl.Series("reasons", expected))
    assert judgement.errors() == [
        "person_id: is null fails on 1 of 4 rows",
        "email: matches .+@.+ fails on 1 of 4 rows",
        "age: >= 0 fails on 2 of 4 rows (e.g. -1, -7)",
        "person_id: unique fails on 2 of 4 rows",
    ]


def test_columns_missing_unexpected_or_of_the_wrong_type_are_named_and_no_row_is_judged() -> None:
    frame = pl.DataFrame({"person_id": ["a"], "age": ["old"], "shoe": [44]})

    judgement = judge(frame, People)

    assert judgement.errors() == [
        "email: column missing",
        "age: is String, the contract People says Int64",
        "shoe: column not in the contract People",
    ]
    assert (judgement.holds, judgement.refused) == (False, None)
    assert structural_problems(people().schema, People) == ()


def test_a_value_that_could_not_be_cast_is_told_as_that_and_not_as_null() -> None:
    frame = people((None, "a@x", 1), (None, "b@x", 2))

    judgement = judge(frame, People, uncast=pl.DataFrame({"person_id": ["not a number", None]}))

    assert judgement.reasons.to_list() == ["person_id: not a number", "person_id: is null"]


def test_errors_are_bounded_and_never_show_personal_values() -> None:
    frame = people(*((f"{'x' * 500}{i}", f"secret{i}", -i) for i in range(1, 300)))
    frame = pl.concat([frame, frame])

    errors = judge(frame, People).errors()

    assert "secret" not in " ".join(errors)
    assert all(len(line) < 400 for line in errors)
    assert len(summarise([f"{i}" for i in range(100)])) < 40


def test_uniqueness_may_be_left_to_deduplication() -> None:
    assert judge(people(("a", "a@x", 1), ("a", "a@x", 1)), People, uniqueness=False).holds


class Labelled(People):
    """People with what became of them."""

    left: bool = pa.Field(metadata={"environments": ["training"]})

    class Config:
        strict = True


def test_a_column_of_training_is_wanted_there_and_refused_in_serving() -> None:
    served = people(("a", "a@x", 1))
    labelled = served.with_columns(left=pl.lit(value=True))

    assert judge(labelled, Labelled, environment="training").holds
    assert judge(served, Labelled, environment="serving").holds
    assert judge(served, Labelled, environment="training").errors() == ["left: column missing"]
    assert judge(labelled, Labelled, environment="serving").errors() == [
        "left: belongs to training, it must not be here in serving"
    ]


def test_rules_and_keys_hold_in_every_environment() -> None:
    errors = judge(people(("a", "a@x", -1), ("a", "b@x", 1)), Labelled, environment="serving").errors()

    assert errors == ["age: >= 0 fails on 1 of 2 rows (e.g. -1)", "person_id: unique fails on 2 of 2 rows"]
