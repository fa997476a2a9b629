"""Pulls: from the shop's systems into landing tables, as they came."""
