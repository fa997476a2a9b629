"""Rows of people who were erased, severed or put on hold, while a step conforms what came in."""
