"""What is wrong with a catalog, said with file and line before anything runs."""
