"""Tests of mlpipe_assets.stages."""
