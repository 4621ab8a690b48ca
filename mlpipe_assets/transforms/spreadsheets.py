"""Tables as CSV for people: a text is shown as it is by a spreadsheet, and never run as a formula."""

import polars as pl

_RUN = r"^\s*[=+\-@\x{FF1D}\x{FF0B}\x{FF0D}\x{FF20}]|^[\t\r\n]"  # a spreadsheet may take the wide forms for the narrow ones


def write_csv(frame: pl.DataFrame) -> bytes:
    """A frame as CSV; an apostrophe goes before each text, column name or category that a spreadsheet would run.

    Numbers, dates and booleans are left as they are. The Parquet beside such a file keeps every value as it came.
    """
    texts = frame.with_columns(pl.col(pl.Categorical, pl.Enum).cast(pl.String))
    shown = texts.with_columns(pl.col(pl.String).str.replace(f"({_RUN})", "'$1"))
    names = pl.Series(frame.columns, dtype=pl.String).str.replace(f"({_RUN})", "'$1")
    return shown.rename(dict(zip(frame.columns, names, strict=True))).write_csv().encode()
