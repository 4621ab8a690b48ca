"""The contracts of golden answers, one for each kind of answer."""

from typing import Annotated

import pandera.polars as pa
import polars as pl


class GoldenAnswers(pa.DataFrameModel):
    """What the champion answers to its golden rows, beside what it answered when it was promoted. Grain: key, as_of."""

    key: str = pa.Field(description="Join key of the golden row, as text.")
    as_of: Annotated[pl.Datetime, "us", "UTC"] = pa.Field(description="End of its feature day, exclusive.")
    expected: float = pa.Field(in_range={"min_value": 0, "max_value": 1}, description="The answer that was kept.")
    answered: float = pa.Field(
        in_range={"min_value": 0, "max_value": 1}, description="The answer now, to the same row."
    )
    from_features: float = pa.Field(
        nullable=True,
        in_range={"min_value": 0, "max_value": 1},
        description="The answer to the row as today's feature code makes it; null where the code is the same.",
    )
    moved: bool = pa.Field(description="Whether either lies further from the kept answer than is declared.")

    class Config:
        strict = True
        unique = ("key", "as_of")


class GoldenClassAnswers(GoldenAnswers):
    """What the champion answers to its golden rows, beside what it answered when it was promoted. Grain: key, as_of.

    The answers are the probabilities of one class of each row: the one that moved furthest, of equal ones the likeliest.
    """

    shown_class: str = pa.Field(description="The class whose probability is shown.")

    class Config:
        strict = True
        unique = ("key", "as_of")


class GoldenNumbers(pa.DataFrameModel):
    """What the champion answers to its golden rows, beside what it answered when it was promoted. Grain: key, as_of."""

    key: str = pa.Field(description="Join key of the golden row, as text.")
    as_of: Annotated[pl.Datetime, "us", "UTC"] = pa.Field(description="End of its feature day, exclusive.")
    expected: float = pa.Field(description="The answer that was kept.")
    answered: float = pa.Field(description="The answer now, to the same row.")
    from_features: float = pa.Field(
        nullable=True,
        description="The answer to the row as today's feature code makes it; null where the code is the same.",
    )
    moved: bool = pa.Field(description="Whether either lies further from the kept answer than is declared.")

    class Config:
        strict = True
        unique = ("key", "as_of")
