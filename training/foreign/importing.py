"""Make a bundle of a foreign network, and keep it only if it computes what the network computes."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
import onnxruntime
from onnx import TensorProto, helper

from pacs_ai.errors import BundleInvalid, ConfigError, ExportMismatch
from pacs_ai.model.bundle import CARD, HEAD, NETWORK, load_bundle
from pacs_ai.model.manifest import FORMAT, ClassEntry
from pacs_ai.model.predict import activate
from pacs_ai.model.runtime import Runtime
from pacs_ai.model.self_test import SelfTest
from pacs_ai.model.spec import InputSpec
from training.bundle.manifest import write_manifest
from training.bundle.self_test import sample_images, write_self_test
from training.bundle.target import checked_target
from training.foreign.card import Facts, import_card
from training.foreign.given import Given, input_of, read_network, scores_of
from training.foreign.head import Head, find_head, flat_head
from training.foreign.labels import read_labels
from training.foreign.rewrite import PREFIX, NetworkInput, rewritten
from training.foreign.settings import InputFile, Said, input_spec, read_preprocess
from training.run.disk import draft_of

Floats = npt.NDArray[np.float32]
Activation = Literal["softmax", "sigmoid"]

_LIMIT, _LIMIT_OF_FLOAT16 = 1e-4, 2e-2
_SUM = 1e-3
_NOT_THE_MEAN = (
    "the logits are not exactly the mean of a feature map times the last layer's weights"
)


@dataclass(frozen=True, slots=True)
class Imported:
    """A bundle of a foreign network.

    ``unexplained`` says why it has no heat maps, "" if it has them. ``difference`` is the largest
    difference of a probability from that of the given network, on generated images.
    """

    bundle: Path
    classes: tuple[str, ...]
    activation: Activation
    unexplained: str
    difference: float


@dataclass(frozen=True, slots=True)
class _Plan:
    """All that is known of a network and its bundle before it is written."""

    given: Given
    taken: NetworkInput
    spec: InputSpec
    scores: str
    labels: list[ClassEntry]
    said: Said
    file: InputFile

    @property
    def limit(self) -> float:
        """Largest difference of a probability that is allowed."""
        half = self.given.graph.element(self.scores) == TensorProto.FLOAT16
        return _LIMIT_OF_FLOAT16 if half else _LIMIT


def import_network(network: Path, said: Said, out: Path, log: Callable[[str], None]) -> Imported:
    """Make a bundle of a network that was trained elsewhere.

    Parameters
    ----------
    network
        An ONNX or a Keras file.
    said
        What the file does not say.
    out
        The folder of the bundle; a bundle there is replaced.
    log
        Is told what is done.

    Raises
    ------
    ConfigError
        If something is not said, or does not fit the network.
    BundleInvalid
        If the network cannot be served.
    ExportMismatch
        If the bundle computes something else than the network.
    """
    folder = checked_target(out.resolve())
    labels, file = read_labels(said.labels, said.negative), read_preprocess(said.preprocess)
    log(f"reading {network.name}")
    given = read_network(network)
    taken = replace(input_of(given, said.size, said.layout), mean=file.mean, std=file.std)
    spec = input_spec(file, taken, said)
    plan = _Plan(given, taken, spec, scores_of(given, said.scores, len(labels)), labels, said, file)
    head = find_head(given.graph, plan.scores, len(labels))
    activation = _activation(said, head)
    with draft_of(folder) as draft:
        head = _write(draft, plan, head, activation)
        log("comparing the bundle with the given network")
        difference = _compare(draft, plan, head, activation)
        write_self_test(draft)
        facts = Facts(network.name, _digest(network), activation, head, difference)
        (draft / CARD).write_text(import_card(said, spec, labels, facts), encoding="utf-8")
        write_manifest(draft, _manifest(plan, head, activation))
        Runtime(load_bundle(draft))
    names = tuple(entry.name for entry in labels)
    return Imported(folder, names, activation, head.unexplained, difference)


def _activation(said: Said, head: Head) -> Activation:
    found, wanted = head.activation, said.activation
    if found and wanted and found != wanted:
        raise ConfigError(f"--activation {wanted}: the network ends with {found}")
    for known in ("softmax", "sigmoid"):
        if known == (found or wanted):
            return known
    raise ConfigError(
        "the network does not end with an activation: say --activation softmax (the classes "
        "exclude each other) or --activation sigmoid (each class stands by itself)"
    )


def _write(draft: Path, plan: _Plan, head: Head, activation: Activation) -> Head:
    """Write network, head and manifest; heat maps that are not exact are given up."""
    flat = flat_head(plan.given.graph, plan.scores, len(plan.labels))
    identity = replace(
        flat,
        features=flat.logits,
        weights=np.eye(len(plan.labels)),
        bias=np.zeros(len(plan.labels)),
        unexplained=head.unexplained or _NOT_THE_MEAN,
    )
    tried = [head, replace(flat, unexplained=identity.unexplained), identity]
    for number, one in enumerate(tried):
        content = rewritten(plan.given.named, plan.taken, one, plan.given.graph)
        (draft / NETWORK).write_bytes(content)
        np.save(draft / HEAD, np.vstack([one.weights, one.bias]).astype(np.float32))
        write_manifest(draft, _manifest(plan, one, activation))
        try:
            Runtime(load_bundle(draft))
        except BundleInvalid:
            if number == len(tried) - 1:
                raise
        else:
            return one
    raise AssertionError("the last try returns or raises")


def _manifest(plan: _Plan, head: Head, activation: Activation) -> dict[str, object]:
    said = plan.said
    return {
        "format": FORMAT,
        "name": said.name,
        "version": said.version,
        "manufacturer": said.manufacturer,
        "description": said.description,
        "activation": activation,
        "aggregation": said.aggregation,
        "unexplained": head.unexplained,
        "temperature": 1.0,
        "input": plan.spec.model_dump(),
        "applicability": plan.file.applicability,
        "classes": [entry.model_dump(exclude_none=True) for entry in plan.labels],
    }


def _compare(draft: Path, plan: _Plan, head: Head, activation: Activation) -> float:
    """Return the largest difference of a probability from that of the given network."""
    bundle = load_bundle(draft)
    x = SelfTest(sample_images(plan.spec), np.zeros((0, 0), np.float32)).inputs(plan.spec)
    logits, _ = Runtime(bundle).predict(x)
    served = activate(logits, activation, 1.0)
    scores = _run_given(plan, x)
    if not head.activation:
        if activation == "softmax" and _are_probabilities(scores):
            raise ConfigError(
                "the output already has probabilities, but the layer that makes them is not a "
                "plain Softmax: export the network without its last activation"
            )
        scores = activate(scores.astype(np.float32), activation, 1.0)
    elif _logarithmic(plan):
        scores = np.exp(scores)
    difference = float(np.abs(served - scores).max())
    if not difference <= plan.limit:
        raise ExportMismatch(
            f"the bundle differs from {plan.said.name} by {difference:.2g} in a probability, "
            f"allowed is {plan.limit:g}"
        )
    return difference


def _are_probabilities(scores: npt.NDArray[np.float64]) -> bool:
    return bool(scores.min() >= 0 and np.abs(scores.sum(axis=1) - 1).max() < _SUM)


def _logarithmic(plan: _Plan) -> bool:
    node = plan.given.graph.maker(plan.given.graph.through(plan.scores, shapes=True))
    return node is not None and node.op_type == "LogSoftmax"


def _run_given(plan: _Plan, x: Floats) -> npt.NDArray[np.float64]:
    """Run the network as it was given, image by image; shape (n, classes)."""
    taken = plan.taken
    if taken.mean:
        mean, std = (np.array(each, dtype=np.float32) for each in (taken.mean, taken.std))
        x = (x - mean) / std
    if taken.element == TensorProto.UINT8:
        x = np.round(x)
    if taken.layout == "nchw":
        x = np.ascontiguousarray(x.transpose(0, 3, 1, 2))
    entered = x.astype(helper.tensor_dtype_to_np_dtype(taken.element))
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(
        plan.given.model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    name, output = (one.removeprefix(PREFIX) for one in (taken.name, plan.scores))
    rows = [session.run([output], {name: entered[i : i + 1]})[0] for i in range(len(x))]
    return np.concatenate(rows).reshape(len(x), -1).astype(np.float64)


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
