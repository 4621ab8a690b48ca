"""processed: training sets, joined as of the moment of each row."""
