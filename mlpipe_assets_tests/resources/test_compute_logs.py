"""The children that copy what steps print: Ctrl-C, which a terminal sends to all processes, is not theirs."""

import signal
from pathlib import Path

import psutil

from mlpipe_assets.resources.instance import open_instance

_SEEN_TO_END = 0.5  # seconds


def test_ctrl_c_ends_no_child_that_copies_output_and_the_copy_does(tmp_path: Path) -> None:
    instance = open_instance(tmp_path)
    others = psutil.Process().children()  # servers of other tests
    with instance.compute_log_manager.capture_logs(["run", "compute_logs", "step"]):
        children = [child for child in psutil.Process().children() if child not in others]
        for child in children:
            child.send_signal(signal.SIGINT)
        ended, alive = psutil.wait_procs(children, timeout=_SEEN_TO_END)

    assert (len(ended), len(alive)) == (
        0,
        4,
    )  # for each stream one that copies, and one that ends it should we be killed
    assert not any(child.is_running() for child in children)


def test_copies_that_a_user_declared_are_left_to_dagster(tmp_path: Path) -> None:
    kind = "NoOpComputeLogManager"
    (tmp_path / "dagster.yaml").write_text(
        f"compute_logs:\n  module: dagster._core.storage.noop_compute_log_manager\n  class: {kind}\n"
    )

    assert type(open_instance(tmp_path).compute_log_manager).__name__ == kind
