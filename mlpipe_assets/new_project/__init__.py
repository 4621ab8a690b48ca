"""The files of a project of a user's own."""
