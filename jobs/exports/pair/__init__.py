"""PAIR 1.1: lists are matched with a publisher without either side seeing the other's."""
