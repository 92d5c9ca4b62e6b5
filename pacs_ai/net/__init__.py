"""The DICOM network: a Storage SCP of our own, an SCU on pynetdicom."""
