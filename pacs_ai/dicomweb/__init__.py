"""DICOMweb (PS3.18): store, search and retrieve over the spool. Without a web server."""
