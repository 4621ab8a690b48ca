"""What is said of columns that moved: those that were measured alike are told together."""

from mlpipe_assets.monitoring.findings import Row, _spell_all


def moved(column: str, value: float, rows: int = 600) -> Row:
    """A column that was held against the training set."""
    return {
        "column": column,
        "comparison": "skew",
        "method": "psi",
        "value": value,
        "threshold": 0.1,
        "n_current": rows,
        "n_reference": 1200,
        "note": None,
    }


def test_one_column_is_told_alone() -> None:
    assert _spell_all([moved("age", 0.25)]) == [
        "age against the training set: psi 0.25, threshold 0.1, 600 rows against 1,200"
    ]


def test_columns_measured_alike_are_told_together_and_others_apart() -> None:
    assert _spell_all([moved("age", 0.25), moved("tenure", 0.5), moved("city", 0.75, rows=590)]) == [
        "2 columns against the training set: psi of age 0.25, tenure 0.5, threshold 0.1, 600 rows against 1,200",
        "city against the training set: psi 0.75, threshold 0.1, 590 rows against 1,200",
    ]


def test_of_many_columns_the_first_eight_are_named() -> None:
    (told,) = _spell_all([moved(f"c{number}", 0.5) for number in range(10)])

    assert told.startswith("10 columns against the training set: psi of c0 0.5, c1 0.5, ")
    assert "c7 0.5 and 2 more, threshold 0.1" in told
