"""Readers: one dropped file in, blocks of records out, every value exactly as received."""
