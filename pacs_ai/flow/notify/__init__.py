"""Notifications: `gather` finds what is to be told, `tell` makes messages of it and sends them."""
