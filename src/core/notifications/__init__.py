"""Notifications to users about events that concern them."""
