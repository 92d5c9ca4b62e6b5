"""The DICOM network: the Storage SCP in `scp`, the SCU in `scu`, and what both share."""
