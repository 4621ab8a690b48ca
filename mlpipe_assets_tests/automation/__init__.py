"""Tests of mlpipe_assets.automation."""
