"""online: the newest features, published for answers, and compared with what the build says."""
