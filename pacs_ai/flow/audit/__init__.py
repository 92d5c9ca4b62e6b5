"""The ledger of the node: events become audit messages, in a chain that can be checked."""
