"""Parquet files in which some rows are changed, and all else stays as it is, byte for byte."""
