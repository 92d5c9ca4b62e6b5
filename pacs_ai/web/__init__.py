"""The page, the REST API and whatever else the node says over HTTP.

`process` is the process that serves them, `app` puts their routes together, and `routes` is how a
route says who may use it.
"""
