"""The lake in PostgreSQL: every table of `mlpipe sql` as a table there, each partition replaced whole."""
