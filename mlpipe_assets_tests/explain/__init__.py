"""Lineage: one small history, and every question about it."""
