"""The direct Storage SCP: one blocking thread an association, fragments straight to the spool."""
