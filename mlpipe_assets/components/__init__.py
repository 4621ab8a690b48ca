"""Components for `dg`: the pipeline as a few lines of YAML."""
