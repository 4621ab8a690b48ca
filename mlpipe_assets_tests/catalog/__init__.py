"""Tests of mlpipe_assets.catalog."""
