"""Tests of mlpipe_assets.publish."""
