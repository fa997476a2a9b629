"""The privacy budget: what releases about people may spend, what they spent, and the noise they pay for."""
