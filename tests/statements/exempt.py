"""Functions that read a whole table because that is what they are for, and why."""

START = "a node compares its folder of files with its rows once, when it starts; so does a backup"
REKEY = "all keyed hashes are made anew, while the node stands still"

WHOLE: dict[str, str] = {
    "store/instances.py known_paths": START,
    "store/instances.py missing_paths": START,
    "store/keyed.py subjects": REKEY,
    "store/priors.py forget_kinds": REKEY,
    "store/ledger.py raw_lines": "a person lets the whole ledger be checked",
    "store/pulls.py counts": "a person asks how many studies were fetched from each archive",
}
"""By the function that makes the statement."""
