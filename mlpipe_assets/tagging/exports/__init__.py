"""Tags as other tools for versions of data have them: the files stay those of the lake."""
