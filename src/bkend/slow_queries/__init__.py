"""Queries that took long, remembered without their values, and the indexes they lack."""
