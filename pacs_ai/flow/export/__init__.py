"""De-identified copies of chosen studies, in a folder that training reads."""
