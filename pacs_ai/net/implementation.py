"""How this implementation names itself to peers and in file meta information."""

from pacs_ai import __version__

IMPLEMENTATION_VERSION = f"PACS_AI_{__version__}"[:16]
"""PS3.7 Annex D.3.3.2: at most 16 characters."""
