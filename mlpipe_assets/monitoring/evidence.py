"""What a run shows of a monitored table in the UI: its verdicts as a Markdown table, and a few pictures of bounded size."""

import polars as pl

from mlpipe_assets.monitoring.report_parts import spell_number
from mlpipe_assets.monitoring.report_section import measure_by_day
from mlpipe_assets.monitoring.table_history import TableHistory
from mlpipe_assets.pictures.charts import as_markdown_image, bars, line_chart

_MOST_COLUMNS = 4
_MOST_POINTS = 45
_SIZE = (480, 220)


def verdicts_as_markdown(history: TableHistory) -> str:
    """The deciding measure of every column on the newest day, the worst first."""
    ranks = {"drift": 0, "possible": 1, "none": 2}
    rows = sorted(history.newest_decided.to_dicts(), key=lambda row: ranks[row["verdict"]])
    head = "| column | against | measure | value | threshold | chance | rows then | rows now | verdict | note |"
    lines = [
        f"| {row['column']} | {row['comparison']} | {row['method']} | {spell_number(row['value'])} "
        f"| {spell_number(row['threshold'])} | {spell_number(row['floor'])} | {row['n_reference']:,} | {row['n_current']:,} "
        f"| {row['verdict'] if row['value'] is not None else 'not measured'} | {row['note'].replace('|', '/')} |"
        for row in rows
    ]
    return "\n".join([head, "|" + " --- |" * 10, *lines])


def pictures_as_markdown(history: TableHistory) -> dict[str, str]:
    """Drift over time and histograms of the columns that moved most: at most four, and the newest 45 days."""
    shown = _columns_to_show(history)
    found: dict[str, str] = {}
    if not shown:
        return found
    first = history.newest_decided.filter(pl.col("column") == shown[0]).row(0, named=True)
    lines = [
        measure_by_day(history, "baseline", name, str(first["method"]), last=_MOST_POINTS, name=name) for name in shown
    ]
    chart = line_chart(
        lines,
        title=f"{history.table}: against the baseline",
        threshold=first["threshold"],
        y_label="distance",
        size=_SIZE,
    )
    found["drift_over_time"] = as_markdown_image(chart, f"drift over time of {', '.join(shown)}")
    shapes = [
        bars(
            shape.labels,
            shape.reference,
            shape.current,
            title=f"{name}: share of rows",
            names=("baseline", "newest window"),
            x_label=history.units.get(name, ""),
            size=_SIZE,
        )
        for name in shown
        if (shape := history.histograms.get(name))
    ]
    if shapes:
        found["baseline_and_newest_window"] = "\n\n".join(
            as_markdown_image(picture, f"histograms of {name}") for picture, name in zip(shapes, shown, strict=False)
        )
    return found


def _columns_to_show(history: TableHistory) -> list[str]:
    ratio = pl.col("value") / pl.col("threshold")
    compared = history.newest_decided.filter(pl.col("comparison") == "baseline", pl.col("value").is_not_null())
    return compared.sort(ratio, descending=True, maintain_order=True)["column"].head(_MOST_COLUMNS).to_list()
