"""Snapshots: the newest row of every entity, published together, in SQLite, Redis or PostgreSQL."""
