"""Versions that rewind: tags of the lake, what differs between them, and the way back."""
