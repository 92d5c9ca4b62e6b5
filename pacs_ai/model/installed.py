"""Which runtimes are installed, told without importing any of them."""

from importlib.metadata import PackageNotFoundError, version

_EXTRAS = {
    "openvino": ("openvino", "OpenVINO"),
    "gpu": ("onnxruntime-gpu", "ONNX Runtime for GPUs"),
}


def missing(runtime: str, device: str) -> str:
    """Say what is not installed for a runtime on a device; "" if all is there.

    Parameters
    ----------
    runtime, device
        As in ``[engine]``; see `pacs_ai.model.providers.provider_of`.
    """
    extra = "gpu" if device != "cpu" else runtime
    package, name = _EXTRAS.get(extra, ("", ""))
    try:
        _ = package and version(package)
    except PackageNotFoundError:
        return f"{name} is not installed: the extra {extra} has it"
    return ""
