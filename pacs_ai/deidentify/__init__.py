"""De-identified copies of images (PS3.15 Annex E). No database, no network."""
