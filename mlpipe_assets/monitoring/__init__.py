"""How a monitored table is compared with its past, and how that is told."""
