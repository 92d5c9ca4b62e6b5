"""Functions that read a whole table because that is what they are for, and why."""

REKEY = "all keyed hashes are made anew, while the node stands still"

WHOLE: dict[str, str] = {
    "store/keyed.py subjects": REKEY,
    "store/priors.py forget_kinds": REKEY,
    "store/ledger.py raw_lines": "a person lets the whole ledger be checked",
    "store/pulls.py counts": "a person asks how many studies were fetched from each archive",
}
"""By the function that makes the statement."""
