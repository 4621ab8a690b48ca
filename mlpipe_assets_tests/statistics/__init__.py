"""Tests of mlpipe_assets.transforms."""
