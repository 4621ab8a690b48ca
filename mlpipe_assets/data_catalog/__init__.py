"""data_catalog: what a person who looks for data needs to know of each table, as lines, in a search, on a site and for others."""
