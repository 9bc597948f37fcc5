"""Adapters for the ports, one package per technology."""
