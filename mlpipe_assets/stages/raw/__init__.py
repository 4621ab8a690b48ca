"""raw: what was delivered, as it was delivered, by the day it is of."""
