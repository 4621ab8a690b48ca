"""mlpipe metrics: what the lake holds as Prometheus reads it, without a server."""

import argparse
import os
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path

from mlpipe_assets.commands.console import open_lake
from mlpipe_assets.errors import LakeError
from mlpipe_assets.metrics import lake_metrics
from mlpipe_assets.serving.http.counters import render
from mlpipe_assets.store.digests import only_looking


@only_looking()
def metrics(options: argparse.Namespace) -> int:
    """Print the metrics, or replace a file by them in one step; or print the Grafana board."""
    if options.board:
        print((files("mlpipe_assets.serving") / "grafana.json").read_text(encoding="utf-8"), end="")
        return 0
    lake, catalog = open_lake()
    text = render(lake_metrics(lake, catalog, datetime.now(tz=UTC)))
    if options.out is None:
        print(text, end="")
        return 0
    _replace(Path(options.out), text)
    return 0


def _replace(path: Path, text: str) -> None:
    """Write a file whole: a collector must not read half of it. Raises: LakeError."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        temporary.write_text(text, encoding="utf-8")
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise LakeError(
            f"{path} cannot be written: {error.strerror}. Name a file in a folder that this user may write."
        ) from error
