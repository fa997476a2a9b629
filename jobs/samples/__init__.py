"""Source drops to try the pipeline on: a generated shop, and public data sets in this shop's formats.

Everything here writes below ``settings.sources`` and nothing into the lake.
"""
