"""From files to samples in splits: scan, label, split, look for leakage, read, feed."""
