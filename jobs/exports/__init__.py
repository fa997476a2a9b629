"""Hand-over: packages of advertising identifiers for partners."""
