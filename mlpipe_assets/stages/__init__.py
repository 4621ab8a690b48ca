"""How each stage is made: a folder for each, in the order data flows, and what they share beside them."""
