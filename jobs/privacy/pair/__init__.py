"""PAIR 1.1: match keys, their commutative encryption, and how long its keys live."""
