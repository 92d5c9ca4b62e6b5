"""What every result has: patient, study, series, equipment, codes, and its source images."""
