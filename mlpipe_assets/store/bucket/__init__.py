"""Objects in a bucket: its address, its client, and what its errors mean."""
