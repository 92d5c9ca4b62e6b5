"""Export of a trained network as a bundle that the node serves, its card, and smaller bundles."""
