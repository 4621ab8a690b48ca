"""features: what is known of each entity at the end of each day."""
