"""Landing to vault and lake: typed, deduplicated, pseudonymous; what cannot be understood goes to quarantine."""
