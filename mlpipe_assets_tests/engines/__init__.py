"""Tests of mlpipe_assets.resources."""
