"""Erasure: a person is removed from everything that lies below a home, and it is shown that nothing is left."""
