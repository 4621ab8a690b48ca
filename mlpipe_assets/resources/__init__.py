"""The outside world: Dagster's own storage, the drop zone, the channels of alerts."""
