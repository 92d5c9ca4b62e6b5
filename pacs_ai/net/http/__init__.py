"""HTTP to peers: `session` opens connections by our rules, `dicomweb` uses DICOMweb."""
