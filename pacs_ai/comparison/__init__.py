"""Two versions of a model on the studies that a node keeps: where they agree, and where not."""
