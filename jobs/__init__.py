"""Sophilux: batch ETL and privacy-preserving analytics for a cross-border online shop."""
