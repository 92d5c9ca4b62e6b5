"""The REST API: a table of operations, from which its routes and its OpenAPI document are made."""
