"""Databases with as much in them as years would leave, for tests and benchmarks.

Rows are made by PostgreSQL, a statement for each table. The schema's triggers and foreign keys do not look at them:
what they would have kept is for the fill to keep.
"""
