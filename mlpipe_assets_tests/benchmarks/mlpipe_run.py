"""`mlpipe run` as a user gives it, in a process of its own, and what its summary says."""

from collections.abc import Mapping

from mlpipe_assets_tests.benchmarks.child import Finished, python


def run_mlpipe(environment: Mapping[str, str], *options: str) -> Finished:
    """`mlpipe run`, measured."""
    return python("-m", "mlpipe_assets.cli", "run", *options, environment=environment)


def stage_seconds(printed: str) -> dict[str, float]:
    """Seconds by table, read off the summary of `mlpipe run`; tables that were not built are left out."""
    rows = [
        [cell.strip() for cell in line.rstrip()[1:-1].split("│")]
        for line in printed.splitlines()
        if line.startswith("│")
    ]
    return {row[0]: float(row[-1].replace(",", "")) for row in rows if row[-1]}
