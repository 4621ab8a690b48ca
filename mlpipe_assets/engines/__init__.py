"""Who runs SQL: the protocol that the rest of the package knows, and the engines behind it."""
