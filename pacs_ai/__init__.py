"""pacs-ai: a DICOM node that receives studies, explains what it sees and reports back."""

import os

__version__ = "0.1.0"

# ONNX Runtime sends telemetry unless it finds this when it is imported. Here, because whatever a
# process imports of this package, this file comes first; processes that it starts inherit it.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"
