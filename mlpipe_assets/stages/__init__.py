"""How each stage is made, one module per stage, in the order data flows."""
