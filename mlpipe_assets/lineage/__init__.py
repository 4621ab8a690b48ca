"""Where everything came from, and what came of it: artifacts, executions, events and contexts, as ML Metadata calls them."""
