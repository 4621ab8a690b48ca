"""What steps print, copied for Dagster's UI by child processes that leave Ctrl-C to us."""

import signal
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any, Self

from dagster._core.storage.compute_log_manager import CapturedLogContext
from dagster._core.storage.local_compute_log_manager import LocalComputeLogManager
from dagster._serdes import ConfigurableClassData


class UninterruptedLogs(LocalComputeLogManager):
    """Dagster's own copies in files; the children that make them do not take the signal that a terminal sends to all."""

    @classmethod
    def from_config_value(cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]) -> Self:
        """As Dagster makes its own from dagster.yaml."""
        return cls(inst_data=inst_data, **config_value)

    @contextmanager
    def capture_logs(self, log_key: Sequence[str]) -> Iterator[CapturedLogContext]:
        """Copy what is printed until the block ends; the children end with it, whatever was pressed meanwhile."""
        with ExitStack() as copying:
            with _interrupts_put_off():  # children keep the mask that they are born with
                context = copying.enter_context(super().capture_logs(log_key))
            yield context


@contextmanager
def _interrupts_put_off() -> Iterator[None]:
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
