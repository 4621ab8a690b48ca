"""Tests of mlpipe_assets.pictures."""
