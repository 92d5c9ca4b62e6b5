"""From a trained network to a bundle that the node serves, with its card; smaller bundles of it."""
