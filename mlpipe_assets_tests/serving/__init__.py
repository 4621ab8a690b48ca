"""Tests of online serving."""
