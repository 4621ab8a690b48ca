"""How a watched table is compared with its past, and how that is told."""
