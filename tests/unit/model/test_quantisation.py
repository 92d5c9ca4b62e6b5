"""A network of eight bits is served only with a report that holds for it."""

import hashlib
import json
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from pydicom.data import get_testdata_file

from pacs_ai.cli import run
from pacs_ai.errors import PrecisionRefused, RuntimeDiffers
from pacs_ai.model import providers
from pacs_ai.model.bundle import load_bundle
from pacs_ai.model.network import LoadedNetwork
from pacs_ai.model.onnxruntime_provider import onnx_cpu
from pacs_ai.model.quantisation import LIMITS, precision_of
from pacs_ai.model.runtime import Runtime

Writer = Callable[..., Path]

FIGURES: dict[str, object] = {
    "original": "ab" * 32,
    "images": 120,
    "split": "validation",
    "images_sha256": "cd" * 32,
    "truth": "labels",
    "auc_difference": 0.001,
    "probability_difference": 0.02,
    "map_correlation": 0.995,
    "lowest_map_correlation": 0.97,
}


def with_eight_bits(model: onnx.ModelProto) -> bytes:
    """Round the activations below the head to eight bits."""
    model = onnx.ModelProto.FromString(model.SerializeToString())
    graph = model.graph
    scale = numpy_helper.from_array(np.float32(0.05), "scale")
    zero = numpy_helper.from_array(np.uint8(0), "zero")
    graph.initializer.extend([scale, zero])
    [relu] = [node for node in graph.node if node.op_type == "Relu"]
    relu.output[0] = "exact"
    pair = [
        helper.make_node("QuantizeLinear", ["exact", "scale", "zero"], ["whole"]),
        helper.make_node("DequantizeLinear", ["whole", "scale", "zero"], ["active"]),
    ]
    at = list(graph.node).index(relu) + 1
    nodes = [*graph.node[:at], *pair, *graph.node[at:]]
    del graph.node[:]
    graph.node.extend(nodes)
    return bytes(model.SerializeToString())


def section(content: bytes, **changes: object) -> str:
    values = {"network": hashlib.sha256(content).hexdigest(), **FIGURES, **changes}
    lines = [f"{key} = {json.dumps(value)}" for key, value in values.items()]
    return "[quantisation]\n" + "\n".join(lines) + "\n\n"


@pytest.fixture
def network(small_network: onnx.ModelProto) -> bytes:
    return with_eight_bits(small_network)


@pytest.fixture
def bundle_with(write_bundle: Writer, network: bytes) -> Writer:
    def write(text: str) -> Path:
        return write_bundle(network, manifest=lambda m: m.replace("[input]", f"{text}[input]", 1))

    return write


def test_the_precision_is_that_of_the_file_and_not_of_its_name(
    small_network: onnx.ModelProto, network: bytes
) -> None:
    assert precision_of(network) == "int8"
    kernel = next(each for each in small_network.graph.initializer if each.name == "w")
    halves = numpy_helper.to_array(kernel).astype(np.float16)
    kernel.CopyFrom(numpy_helper.from_array(halves, "w"))
    assert precision_of(small_network.SerializeToString()) == "fp16"


def test_a_network_in_float32_needs_no_report(write_bundle: Writer) -> None:
    bundle = load_bundle(write_bundle())
    assert bundle.precision == "fp32"
    assert bundle.quantisation is None


@pytest.mark.parametrize("kind", [TensorProto.INT8, TensorProto.UINT4, TensorProto.FLOAT8E4M3FN])
def test_weights_of_few_bits_are_recognised_below_any_operator(
    small_network: onnx.ModelProto, kind: int
) -> None:
    weights = onnx.TensorProto(name="few", dims=[2], data_type=kind, raw_data=b"ab")
    small_network.graph.initializer.append(weights)
    assert precision_of(small_network.SerializeToString()) == "int8"


def test_without_a_report_it_is_not_served(bundle_with: Writer) -> None:
    with pytest.raises(PrecisionRefused, match="no report"):
        load_bundle(bundle_with(""))


def test_with_a_report_it_is_served(bundle_with: Writer, network: bytes) -> None:
    bundle = load_bundle(bundle_with(section(network)))
    assert bundle.precision == "int8"
    assert bundle.quantisation is not None
    assert bundle.quantisation.excess() == ""
    Runtime(bundle)


def test_threads_spin_only_while_eight_bits_are_computed(
    bundle_with: Writer, network: bytes
) -> None:
    eight = load_bundle(bundle_with(section(network)))
    for bundle, spins in ((eight, "1"), (load_bundle("demo"), "0")):
        loaded = onnx_cpu(bundle, 2)
        assert loaded.computed_by.precision == bundle.precision
        options = loaded._session.get_session_options()
        assert options.get_session_config_entry("session.intra_op.allow_spinning") == spins
        assert options.get_session_config_entry("session.intra_op.spin_duration_us") == "20"
        assert options.get_session_config_entry("session.force_spinning_stop") == "1"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"network": "ef" * 32}, "another network"),
        ({"images": 49}, "49 images"),
        ({"auc_difference": 0.02}, "AUC differs by 0.02"),
        ({"probability_difference": 0.3}, "a probability differs by 0.3"),
        ({"map_correlation": 0.9}, "heat maps correlate by 0.900"),
        ({"lowest_map_correlation": -0.5}, "the worst heat maps correlate by -0.500"),
    ],
)
def test_a_report_counts_only_with_figures_within_the_limits(
    bundle_with: Writer, network: bytes, changes: dict[str, object], said: str
) -> None:
    with pytest.raises(PrecisionRefused, match=said):
        load_bundle(bundle_with(section(network, **changes)))


def test_limits_that_a_report_states_do_not_count(bundle_with: Writer, network: bytes) -> None:
    own = "[quantisation.limits]\nprobability_difference = 1.0\n\n"
    text = section(network, probability_difference=0.3) + own
    with pytest.raises(PrecisionRefused, match=f"allowed is {LIMITS.probability_difference:g}"):
        load_bundle(bundle_with(text))


@pytest.mark.parametrize("value", ["nan", "inf", '"passed"', "true"])
def test_a_figure_is_a_number(bundle_with: Writer, network: bytes, value: str) -> None:
    text = section(network).replace("auc_difference = 0.001", f"auc_difference = {value}")
    folder = bundle_with(text)
    with pytest.raises(Exception, match="auc_difference"):
        load_bundle(folder)


def test_commands_show_the_figures_or_why_it_is_refused(
    bundle_with: Writer,
    network: bytes,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)  # the command line sets its own
    folder = bundle_with(section(network))
    config = tmp_path / "pacs-ai.toml"
    config.write_text(
        f'[storage]\nspool = "{tmp_path / "spool"}"\n[models.small]\nbundle = "{folder}"\n'
        '[[rules]]\nname = "all"\nmodel = "small"\nsend_to = []\n'
    )
    assert run(["models", "list", "--json", "--config", str(config)]) == 0
    [record] = [one for one in json.loads(capsys.readouterr().out) if one["configured"]]
    assert record["precision"] == "int8"
    assert record["quantisation"]["probability_difference"] == 0.02
    assert record["quantisation"]["limits"] == LIMITS.model_dump()
    assert run(["models", "list", "--config", str(config)]) == 0
    assert "maps 0.995 on 120 images of the validation" in capsys.readouterr().out
    manifest = folder / "model.toml"
    manifest.write_text(manifest.read_text().replace("0.995", "0.9"))
    assert run(["models", "list", "--config", str(config)]) == 0
    assert "PRECISION_REFUSED" in capsys.readouterr().out
    assert run(["config", "check", "--config", str(config)]) == 2
    assert capsys.readouterr().err.startswith("pacs-ai: PRECISION_REFUSED: ")
    assert run(["listen", "--port", "0", "--config", str(config)]) == 2
    assert capsys.readouterr().err.startswith("pacs-ai: PRECISION_REFUSED: ")
    assert run(["doctor", "--config", str(config)]) == 1
    assert "heat maps correlate by 0.900, needed is 0.97" in capsys.readouterr().out
    image = get_testdata_file("CT_small.dcm")
    assert run(["infer", str(image), "--model", "small", "--config", str(config)]) == 2
    assert "PRECISION_REFUSED" in capsys.readouterr().err


def test_the_list_names_what_computes_the_network(
    bundle_with: Writer,
    network: bytes,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def differs(*_: object) -> LoadedNetwork:
        raise RuntimeDiffers("logits differ by 0.02")

    monkeypatch.setattr(sys, "excepthook", sys.excepthook)  # the command line sets its own
    config = tmp_path / "pacs-ai.toml"
    config.write_text(
        f'[storage]\nspool = "{tmp_path / "spool"}"\n[engine]\nruntime = "openvino"\n'
        f'[models.small]\nbundle = "{bundle_with(section(network))}"\n'
        '[[rules]]\nname = "all"\nmodel = "small"\n'
    )
    pytest.importorskip("openvino")
    for command in ("list", "verify"):
        with monkeypatch.context() as other:
            other.setattr(providers, "openvino_cpu", differs)
            run(["models", command, "--json", "--config", str(config)])
        [record] = [one for one in json.loads(capsys.readouterr().out) if one["configured"]]
        assert record["runtime"] == "onnxruntime on cpu"
        assert "openvino on cpu: logits differ by 0.02" in record["state"]
    assert run(["models", "list", "--json", "--config", str(config)]) == 0
    shipped = [one for one in json.loads(capsys.readouterr().out) if not one["configured"]]
    assert {one["runtime"] for one in shipped} == {"openvino on cpu"}
