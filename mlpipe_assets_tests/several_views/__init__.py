"""A catalog whose model learns from several views of several entities."""
