"""Fetch collections of an image archive: verified, resumable, with their licences."""
