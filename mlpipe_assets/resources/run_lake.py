"""The lake as a Dagster resource: a run that opens it is marked as one on this data folder."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path

import dagster as dg

from mlpipe_assets.resources.run_owner import claim_run
from mlpipe_assets.store.copies.use import BucketLake
from mlpipe_assets.store.lake import Lake
from mlpipe_assets.store.run_locks import hold_run_lock

Recording = Callable[[str], Callable[[Lake, str, str], None]]
"""Gives, for the id of a run, what its lake calls when a table was written."""


class LakeResource(dg.ConfigurableResource[Lake]):
    """Gives assets and sensors the lake."""

    data_dir: str
    address: str = ""
    recording: dg.ResourceDependency[Recording | None] = None  # type: ignore[assignment]  # it may do without

    @contextmanager
    def yield_for_execution(self, context: dg.InitResourceContext) -> Iterator[Lake]:
        """The lake; while a run has it, the run is seen to live."""
        lake = Lake(data_dir=self.data_dir)
        run, instance = context.run, context.instance
        place = BucketLake(address=self.address, root=Path(self.data_dir)) if self.address else None
        # A sensor writes too: what it remembers, and whom it told.
        with place.writing() if place else nullcontext():
            if run is None or instance is None or not instance.has_run(run.run_id):  # a sensor, or a test without a run
                yield lake
                return
            claim_run(run, instance, lake.root)
            lake.sweep_documents()
            with hold_run_lock(lake.root, run.run_id):
                yield replace(lake, written=self.recording(run.run_id)) if self.recording else lake
