"""Read a foreign network: an ONNX file, or a Keras file that is converted first."""

import importlib.util
from dataclasses import dataclass
from pathlib import Path

import onnx
import onnx.inliner
import onnx.version_converter
from onnx import TensorProto

from pacs_ai.errors import BundleInvalid, ConfigError
from pacs_ai.model.onnx_file import OPSETS
from training.foreign.graph import Graph
from training.foreign.rewrite import PREFIX, NetworkInput

_MOST_BYTES = 1 << 30
_OPSET, _OLDEST = 17, 13
_RANK = 4
_COLOURS = (1, 3)
_ELEMENTS = (TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.UINT8)


@dataclass(frozen=True, slots=True)
class Given:
    """A network as it was given.

    ``model`` has the network with all weights inside. ``named`` is the same with `PREFIX` before
    each name of a tensor, and ``graph`` answers questions about that.
    """

    model: onnx.ModelProto
    named: onnx.ModelProto
    graph: Graph


def read_network(path: Path) -> Given:
    """Read ``.onnx`` or ``.keras``.

    Raises
    ------
    ConfigError
        If the file is of another kind, or a library is missing.
    BundleInvalid
        If the network is damaged, too large, or of a form that is not served.
    """
    if not path.is_file():
        raise ConfigError(f"{path} is no file")
    if path.stat().st_size > _MOST_BYTES:
        raise BundleInvalid(f"{path} is larger than 1 GiB")
    if path.suffix.lower() == ".onnx":
        model = _read_onnx(path)
    elif path.suffix.lower() in (".keras", ".h5"):
        model = _read_keras(path)
    else:
        raise ConfigError(f"{path}: the network must be an .onnx or a .keras file")
    if _opset(model) < OPSETS.start:
        raise BundleInvalid(
            f"{path} has version {_opset(model)} of the ONNX operators: export it with version "
            f"{_OLDEST} or later"
        )
    try:
        if model.functions:
            model = onnx.inliner.inline_local_functions(model)
        if _opset(model) < _OLDEST:
            model = onnx.version_converter.convert_version(model, _OPSET)
        named = onnx.compose.add_prefix(model, PREFIX)
        return Given(model, named, Graph(named))
    except Exception as error:  # whatever onnx raises of a damaged graph
        raise BundleInvalid(f"{path} is not a network in order ({type(error).__name__})") from error


def _opset(model: onnx.ModelProto) -> int:
    return max(
        (one.version for one in model.opset_import if one.domain in ("", "ai.onnx")), default=0
    )


def _read_onnx(path: Path) -> onnx.ModelProto:
    try:
        return onnx.load(path)
    except Exception as error:  # whatever protobuf and onnx raise of a file
        raise BundleInvalid(
            f"{path} is not an ONNX file, or its weights in other files are not beside it"
        ) from error


def _read_keras(path: Path) -> onnx.ModelProto:
    missing = [n for n in ("keras", "tensorflow", "tf2onnx") if importlib.util.find_spec(n) is None]
    if missing:
        raise ConfigError(
            f"a .keras file needs {', '.join(missing)}: pip install 'pacs-ai[train]', or export "
            "the network to ONNX where it was made"
        )
    from training.foreign.keras_file import keras_to_onnx  # noqa: PLC0415 - loads TensorFlow

    return keras_to_onnx(path)


def input_of(given: Given, size: tuple[int, int] | None, layout: str | None) -> NetworkInput:
    """Find out what a network takes.

    Parameters
    ----------
    given
        The network.
    size
        Height and width, for a network that leaves them open.
    layout
        ``nchw`` or ``nhwc``, for a network whose shape does not tell.

    Raises
    ------
    ConfigError
        If the network does not tell and nobody says, or takes something else than one image.
    """
    inputs = given.graph.inputs
    if len(inputs) != 1:
        names = ", ".join(one.name.removeprefix(PREFIX) for one in inputs)
        raise ConfigError(f"the network must have one input, and has {len(inputs)} ({names})")
    name = str(inputs[0].name)
    shape, element = given.graph.shape(name), given.graph.element(name)
    if shape is None or len(shape) != _RANK:
        raise ConfigError(
            f"the network must take images of shape (n, h, w, c) or (n, c, h, w), not {shape}"
        )
    if shape[0] not in (None, 1):
        raise ConfigError(
            f"the network takes {shape[0]} images at once: export it for one, or for any number"
        )
    if element not in _ELEMENTS:
        raise ConfigError("the network must take float32, float16 or uint8")
    layout = layout or _layout(shape)
    channels, height, width = (
        (shape[1], shape[2], shape[3]) if layout == "nchw" else (shape[3], shape[1], shape[2])
    )
    if size is not None and (height in (None, size[0])) and (width in (None, size[1])):
        height, width = size
    if height is None or width is None or (size is not None and (height, width) != size):
        raise ConfigError(f"the network takes {shape}: say --size HEIGHTxWIDTH that fits")
    if channels not in _COLOURS:
        raise ConfigError(f"the network must take 1 or 3 channels, and takes {channels or 'any'}")
    return NetworkInput(name, element, layout, height, width, channels)


def _layout(shape: tuple[int | None, ...]) -> str:
    first, last = shape[1] in _COLOURS, shape[3] in _COLOURS
    if first == last:
        raise ConfigError(f"the shape {shape} does not tell where the channels are: say --layout")
    return "nchw" if first else "nhwc"


def scores_of(given: Given, name: str | None, classes: int) -> str:
    """Choose the output with the scores of the classes.

    Raises
    ------
    ConfigError
        If no output fits, or several do and none is named.
    """
    graph = given.graph
    outputs = {one.removeprefix(PREFIX): one for one in graph.outputs}
    shapes = ", ".join(f"{short} {graph.shape(one)}" for short, one in outputs.items())
    if name is not None:
        if name not in outputs:
            raise ConfigError(f"the network has no output {name!r}; it has {shapes}")
        return outputs[name]
    fitting = [one for one in outputs.values() if _fits(graph.shape(one), classes)]
    if len(fitting) != 1:
        raise ConfigError(
            f"{len(fitting)} outputs can have a value for each of {classes} labels: {shapes}; "
            "correct --labels, or choose with --scores"
        )
    return fitting[0]


def _fits(shape: tuple[int | None, ...] | None, classes: int) -> bool:
    return shape is None or (
        len(shape) > 1
        and shape[1] in (None, classes)
        and all(side in (None, 1) for side in shape[2:])
    )
