"""Values that several tables allow, each list once: a new one is added here and counts everywhere."""

CHANNELS = ["web", "app", "store", "partner"]
REGIONS = ["north", "south", "east", "west", "islands"]
