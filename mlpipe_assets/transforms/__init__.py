"""Pure frame to frame functions; no dagster in here."""
