"""Tests of mlpipe_assets.intake."""
