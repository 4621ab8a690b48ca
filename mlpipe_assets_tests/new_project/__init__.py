"""New projects: what they hold, how they are written, that they go on working."""
