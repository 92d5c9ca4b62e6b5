"""Studies are fetched from archives: by C-MOVE, C-GET or WADO-RS, and searched for before."""
