"""The SQL of a view that is declared by aggregates, written so that people can read it."""
