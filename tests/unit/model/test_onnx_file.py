"""Only networks of ordinary operators are served."""

import onnx
import pytest
from onnx import TensorProto, helper

from pacs_ai.errors import BundleInvalid
from pacs_ai.model import onnx_file
from pacs_ai.model.onnx_file import check_whole


def refused(model: onnx.ModelProto, match: str) -> None:
    with pytest.raises(BundleInvalid, match=match):
        check_whole(model.SerializeToString())


def test_an_ordinary_network_passes(small_network: onnx.ModelProto) -> None:
    check_whole(small_network.SerializeToString())


@pytest.mark.parametrize("domain", ["com.microsoft", "ai.onnx.ml", "evil"])
def test_operators_of_other_domains_are_refused(
    domain: str, small_network: onnx.ModelProto
) -> None:
    small_network.opset_import.append(helper.make_opsetid(domain, 1))
    check_whole(small_network.SerializeToString())  # an unused domain does no harm
    small_network.graph.node[1].domain = domain
    refused(small_network, f"domain '{domain}'")


@pytest.mark.parametrize("version", [0, 6, 27, 10**9])
def test_other_versions_of_the_operators_are_refused(
    version: int, small_network: onnx.ModelProto
) -> None:
    small_network.opset_import[0].version = version
    refused(small_network, f"needs version {version} .* 7 to 26")


@pytest.mark.parametrize("operator", ["If", "Loop", "Scan"])
def test_a_node_with_a_graph_is_refused(operator: str, small_network: onnx.ModelProto) -> None:
    inner = helper.make_graph([], "inner", [], [])
    small_network.graph.node.append(helper.make_node(operator, [], ["x"], body=inner))
    refused(small_network, "contains a graph")


def test_functions_of_the_model_are_refused(small_network: onnx.ModelProto) -> None:
    opset = [helper.make_opsetid("", 17)]
    node = helper.make_node("Relu", ["x"], ["y"])
    small_network.functions.append(helper.make_function("", "F", ["x"], ["y"], [node], opset))
    refused(small_network, "functions of its own")


def test_too_many_parts_are_refused(
    small_network: onnx.ModelProto, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(onnx_file, "_MOST_FIELDS", 50)
    value = helper.make_tensor("many", TensorProto.FLOAT, [1], [0.0])
    small_network.graph.initializer.extend([value] * 100)
    refused(small_network, "too many parts")
