"""Tests of the store: one suite that every implementation of `Objects` passes."""
