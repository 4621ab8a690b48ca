"""Who runs a select: the protocol that stages know, and the engines behind it."""
