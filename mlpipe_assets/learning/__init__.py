"""Fitting, judging and storing classifiers: pure functions over frames, no orchestration."""
