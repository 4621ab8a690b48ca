"""Tests of mlpipe_assets.monitoring."""
