"""pacs-ai: a DICOM node that receives studies, explains what it sees and reports back."""

__version__ = "0.1.0"
