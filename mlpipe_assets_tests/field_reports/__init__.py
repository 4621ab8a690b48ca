"""Public reports about other tools, re-created here: see docs/field-reports.md."""
