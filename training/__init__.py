"""Train, evaluate, explain and export models that the node serves. The only home of TensorFlow."""

import pacs_ai  # noqa: F401 - before ONNX Runtime: it keeps it from sending telemetry

__pacs_ai__ = "0.1.0"
"""The version of `pacs_ai` this belongs to; a foreign ``training`` on the path lacks it."""
