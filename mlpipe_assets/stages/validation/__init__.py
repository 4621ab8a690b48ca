"""validation: golden rows that a model must answer as before."""
