"""The command line ``sophilux``."""
