"""Frames as pandas has them, which is not one of our dependencies."""

from typing import Any

import polars as pl


def to_pandas(frame: pl.DataFrame) -> Any:  # noqa: ANN401 (pandas is not one of our dependencies)
    """A frame as pandas has it; needs pandas, and does without pyarrow."""
    try:
        return frame.to_pandas()
    except ModuleNotFoundError as error:
        if error.name != "pyarrow":
            raise
    import pandas as pd  # noqa: PLC0415 (whoever has none does without)

    return pd.DataFrame({column.name: column.to_list() for column in frame})
