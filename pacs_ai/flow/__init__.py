"""The story of one study, one module a step, in this order.

receive → complete → route → analyse → deliver → commit; beside it recover and retain.
"""
