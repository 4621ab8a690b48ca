"""The server: routes, who may ask and how much, what answers now, and what it says of itself."""
