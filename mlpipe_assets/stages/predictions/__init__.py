"""predictions: what the champion says of each entity, and what was answered over HTTP."""
