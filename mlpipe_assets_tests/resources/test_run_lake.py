"""The lake as a run has it."""

from pathlib import Path
from tempfile import TemporaryDirectory

import dagster as dg
import pytest

from mlpipe_assets.resources.run_lake import LakeResource
from mlpipe_assets.store import keys
from mlpipe_assets.store.copies import use as lake_use
from mlpipe_assets.store.copies.use import BucketLake
from mlpipe_assets.store.lake import Lake
from mlpipe_assets.store.memory import MemoryObjects


def test_a_run_sweeps_what_killed_processes_left_of_documents_that_are_no_tables(lake: Lake) -> None:
    lake.objects.put(keys.report("r"), b"{}")
    lake.objects.put(keys.ACCEPTANCES, b"")
    left = [
        lake.root / "validation/reports/.r.json.1.0a1b2c3d.tmp",
        lake.root / "meta/.acceptances.jsonl.1.0a1b2c3d.tmp",
    ]
    for path in left:
        path.touch()

    @dg.asset
    def table(lake: dg.ResourceParam[Lake]) -> None:
        assert not any(path.exists() for path in left)

    with TemporaryDirectory() as folder, dg.DagsterInstance.ephemeral(tempdir=folder) as instance:
        done = dg.materialize([table], resources={"lake": LakeResource(data_dir=lake.data_dir)}, instance=instance)

    assert done.success
    assert [head.key for head in lake.objects.list("validation")] == [keys.report("r")]


def test_what_a_run_and_a_sensor_write_is_in_the_bucket_when_they_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket = MemoryObjects()
    monkeypatch.setattr(lake_use, "open_bucket", lambda _: bucket)
    here, elsewhere = (BucketLake(address="s3://lake", root=tmp_path / name / "data") for name in ("here", "elsewhere"))
    resource = LakeResource(data_dir=f"{here.root}", address=here.address)

    @dg.asset
    def table(lake: dg.ResourceParam[Lake]) -> None:
        lake.objects.put(keys.report("r"), b"of the run")

    @dg.sensor(job_name="none")
    def looks(lake: dg.ResourceParam[Lake]) -> dg.SkipReason:
        assert lake.objects.get(keys.report("r")).content == b"of the run"
        lake.objects.put(keys.automation("looks"), b"of the sensor")
        return dg.SkipReason("looked")

    with TemporaryDirectory() as folder, dg.DagsterInstance.ephemeral(tempdir=folder) as instance:
        assert dg.materialize([table], resources={"lake": resource}, instance=instance).success
        with dg.build_sensor_context(instance=instance, resources={"lake": resource}) as context:
            looks(context)

    elsewhere.fetch()
    assert (elsewhere.root / keys.report("r")).read_bytes() == b"of the run"
    assert (elsewhere.root / keys.automation("looks")).read_bytes() == b"of the sensor"
