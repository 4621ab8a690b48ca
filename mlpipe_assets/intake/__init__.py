"""Where rows come from: files of the drop zone, when they were known, and the ledger of their deliveries."""
