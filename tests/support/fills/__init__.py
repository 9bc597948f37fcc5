"""Databases filled with as many rows as years of use would leave, for tests and benchmarks.

Rows are made by PostgreSQL, a statement for each table. The schema's triggers and foreign keys do not look at them:
what they would have kept is for the fill to keep.
"""
