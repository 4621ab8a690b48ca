"""Tests of mlpipe_assets.training."""
