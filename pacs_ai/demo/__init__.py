"""What `pacs-ai demo` shows: phantom studies, a stand-in archive, and the run that joins them."""
