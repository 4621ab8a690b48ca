"""What a row of a day may look at, and the proof that it looked at nothing else."""
