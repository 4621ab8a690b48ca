"""What exists: declarations of sources, entities, feature views and models. Values only."""
