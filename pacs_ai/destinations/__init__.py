"""Where results go: one module for each kind of destination, one outcome for all of them.

`base` says what the flow expects of a destination, `kinds` finds the one for a ``[peers.x]``.
"""
