"""One file per business flow: schedules, assets, retries, and no logic."""
