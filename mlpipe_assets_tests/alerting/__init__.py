"""Tests of mlpipe_assets.alerting."""
