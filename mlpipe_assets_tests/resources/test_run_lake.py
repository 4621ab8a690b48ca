"""The lake as a run has it."""

from tempfile import TemporaryDirectory

import dagster as dg

from mlpipe_assets.resources.run_lake import LakeResource
from mlpipe_assets.store import keys
from mlpipe_assets.store.lake import Lake


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
