"""The lake as others read it: SQL views over its files."""
