"""The catalog as other tools read it: one module a format, and the list of them."""
