"""HTML pages of one file: their frame and style, and figures with intervals as cells."""
