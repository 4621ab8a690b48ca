"""Whether tables are as new as their declarations promise."""
