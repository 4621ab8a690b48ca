"""Jobs, and the plan of what is out of date."""
