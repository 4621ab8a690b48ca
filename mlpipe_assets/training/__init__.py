"""Training sets that are honest, and the versions and champions that are made of them."""
