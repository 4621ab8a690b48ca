"""Push: rows that come by HTTP, judged, kept, and laid over the snapshot until their day is built."""
