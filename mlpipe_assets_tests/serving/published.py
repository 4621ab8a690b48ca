"""Small snapshots that tests publish."""

from collections.abc import Sequence
from datetime import UTC, datetime

import polars as pl

from mlpipe_assets.serving.snapshots.snapshot import PublishedView, Snapshot, ViewRows

AS_OF = datetime(2026, 1, 5, tzinfo=UTC)


def published(name: str = "spend", *, keys: Sequence[str] = ("customer_id",), rows: int = 1) -> PublishedView:
    """What is known of a view with the features `orders` and `city`."""
    return PublishedView(
        name=name,
        join_keys=tuple(keys),
        key_types=("text",) * len(keys),
        features=("orders", "city"),
        as_of=AS_OF.isoformat(),
        version="v1",
        rows=rows,
    )


def view_rows(name: str, orders: dict[str, int | None], city: str = "Porto") -> ViewRows:
    """One row a customer."""
    frame = pl.DataFrame(
        {"customer_id": list(orders), "as_of": AS_OF, "orders": list(orders.values()), "city": city},
        schema_overrides={"customer_id": pl.String, "as_of": pl.Datetime("us", "UTC"), "orders": pl.Int64},
    )
    return ViewRows(view=published(name, rows=frame.height), frame=frame)


def snapshot(inputs: str, **views: dict[str, int | None]) -> Snapshot:
    """A snapshot of views."""
    return Snapshot(inputs=inputs, views=tuple(view_rows(name, orders) for name, orders in views.items()))
