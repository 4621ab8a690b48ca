"""How fast and how large the pipeline is, beside the fastest bare script known for the same outputs."""
