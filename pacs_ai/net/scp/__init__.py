"""The Storage SCP: one blocking thread for each association; data sets go straight to the spool."""
