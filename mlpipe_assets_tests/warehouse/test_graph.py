"""The warehouse in the asset graph: there where an address is set, after all others, and part of every job."""

import dagster as dg
import pytest

from mlpipe_assets.catalog.contents import CATALOG
from mlpipe_assets.flow import tables_of
from mlpipe_assets.pipeline import build_definitions

KEY = dg.AssetKey(["warehouse", "postgres"])


def test_without_an_address_there_is_no_warehouse_in_the_graph(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLPIPE_POSTGRES_URL", raising=False)

    assert "warehouse/postgres" not in {table.key for table in tables_of(CATALOG)}


def test_with_an_address_it_comes_after_every_table_that_is_published_and_in_every_job(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("MLPIPE_POSTGRES_URL", "postgresql://127.0.0.1:1/postgres")

    tables = tables_of(CATALOG)
    definitions = build_definitions(CATALOG)

    assert tables[-1].key == "warehouse/postgres"
    assert tables[-1].jobs[0] == "daily_job"  # the one that sensors ask for
    assert {"raw/orders", "interim/orders", "features/customer_features", "predictions/spend_28d"} <= {
        *tables[-1].upstream
    }
    for job in ("ingest_job", "daily_job", "training_job", "prediction_job", "retraining_job"):
        assert KEY in definitions.resolve_job_def(job).asset_layer.executable_asset_keys, job
