"""Earlier studies of a patient: found, fetched, analysed, and compared with."""
