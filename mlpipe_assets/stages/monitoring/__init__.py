"""monitoring: profiles of each day, and how far they are from before."""
