"""What operators do and look at: one function an action, one an overview.

Each function takes the node and plain values, returns records (`pacs_ai.store.records`), raises
errors of the tree, and prints nothing. Every interface calls the same functions. Each action leaves
a line in the audit trail, in the name of the node's owner (`FlowContext.owner`): an interface opens
the node in the name of who asks.
"""
