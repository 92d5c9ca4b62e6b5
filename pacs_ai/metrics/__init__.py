"""What monitoring is told of the node: counts, times and states, without any identifier."""
