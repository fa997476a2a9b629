"""Pseudonyms, keys and the rules that keep people out of what leaves the house."""
