"""The page: HTML made here, one style sheet, one file of HTMX, and nothing from elsewhere.

Each view has an address of its own and works without a script; HTMX renews what changes. What
changes something is a form, and calls the function that the command line calls.
"""
