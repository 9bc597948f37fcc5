"""The console of admins at /admin: tables to read, and actions that call use cases.

Its modules import Starlette, SQLAlchemy and sqladmin, which takes as long as the rest of the start: they are imported
when an admin first calls it.
"""
