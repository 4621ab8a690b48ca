"""Departures from New York in 2013, added the way a user adds a dataset: nothing here is known to mlpipe_assets."""
