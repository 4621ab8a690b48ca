"""Which executor does the work of this process; the one place that chooses."""

from functools import cache
from importlib import import_module

from mlpipe_assets.errors import SettingsError
from mlpipe_assets.executors.executor import THREADS, Executor

HERE = "threads"
_KINDS = {  # the beginning of an address, and what reaches it; imported when it is asked for
    "dask": ("dask_cluster", "DaskExecutor"),
    "spark": ("spark_cluster", "SparkExecutor"),
    "sc": ("spark_cluster", "SparkExecutor"),
}


@cache
def open_executor(address: str = HERE) -> Executor:
    """The executor at an address; it is reached when there is work, and stays open as long as the process.

    Raises: SettingsError for an address of no executor, or of one whose package is not installed.
    """
    if address == HERE:
        return THREADS
    kind, mark, _ = address.partition("://")
    if not mark or kind not in _KINDS:
        raise SettingsError(
            f"MLPIPE_EXECUTOR begins with {kind[:20]!r}, and work is done by threads or on a cluster. Write it as threads, "
            "dask://HOST:8786, spark://HOST:7077 or sc://HOST:15002."
        )
    module, name = _KINDS[kind]
    try:
        made: Executor = getattr(import_module(f"mlpipe_assets.executors.{module}"), name)(address=address)
    except ImportError as error:
        extra = "dask" if kind == "dask" else "spark"
        raise SettingsError(
            f"MLPIPE_EXECUTOR is a cluster of {extra.title()}, and its package is not installed ({error}). Next: pip install "
            f"'mlpipe-assets[{extra}]', here and on the cluster."
        ) from None
    return made
