"""Tests of mlpipe_assets.point_in_time."""
