"""A lake in a bucket as a machine works on it: which objects it has a copy of, and what it sends back."""
