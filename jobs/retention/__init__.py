"""Forgetting: what is older than its contract allows goes."""
