"""interim: rows that keep the contract, each once; the others in quarantine with the reason."""
