"""Tests of the data catalog."""
