"""The source of what a server answered: one line in a catalog's sources, and answers online become a table as any other."""

from datetime import timedelta

from mlpipe_assets.catalog.declarations import Catalog, Source, Tolerance
from mlpipe_assets.contracts.serving_log import ServingLog

serving_log = Source(
    name="serving_log",
    contract=ServingLog,
    key=("request_id", "answered_at", "row_number"),
    event_time="answered_at",
    tolerance=Tolerance(share=0.01, rows=20),
    empty_days=True,  # nobody has to ask
    ahead_within=timedelta(days=1),
    fresh_within=None,
)


def find_serving_log(catalog: Catalog) -> Source | None:
    """The source that answers of this catalog are logged to; None where they are not."""
    return next((source for source in catalog.sources if issubclass(source.contract, ServingLog)), None)
