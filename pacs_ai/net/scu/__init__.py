"""The SCU: associations that the node requests, and what it asks of its peers on them."""
