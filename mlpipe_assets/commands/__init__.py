"""The commands of `mlpipe`, each imported when it is called: --help is instant."""
