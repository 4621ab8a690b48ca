"""Tests of mlpipe_assets; the folders mirror the package."""
