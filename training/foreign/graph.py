"""Questions to an ONNX graph: what makes a tensor, and which values are constant."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import helper, numpy_helper

_KEEPS_VALUES = ("Identity", "Cast", "Dropout")
_RESHAPES = ("Flatten", "Reshape", "Squeeze", "Unsqueeze", "Transpose")


class Graph:
    """An ONNX graph with shapes.

    Parameters
    ----------
    model
        The network; local functions are inlined already.
    """

    def __init__(self, model: onnx.ModelProto) -> None:
        known = onnx.shape_inference.infer_shapes(model, data_prop=True).graph
        self.nodes = list(model.graph.node)
        self.outputs = [str(output.name) for output in model.graph.output]
        self._makers = {name: node for node in self.nodes for name in node.output if name}
        self._initial = {tensor.name: tensor for tensor in model.graph.initializer}
        self._check_order(model.graph)
        infos = (*known.value_info, *known.input, *known.output)
        self._types = {info.name: info.type.tensor_type for info in infos}
        self.inputs = [one for one in model.graph.input if one.name not in self._initial]

    def _check_order(self, graph: onnx.GraphProto) -> None:
        """Refuse a node that takes what only a later node makes: going back might never end."""
        known = {"", *self._initial, *(one.name for one in graph.input)}
        known |= {one.values.name for one in graph.sparse_initializer}
        for node in self.nodes:
            if unknown := set(node.input) - known:
                raise ValueError(f"nothing makes {sorted(unknown)[0]} before it is used")
            known.update(node.output)

    def maker(self, tensor: str) -> onnx.NodeProto | None:
        """Return the node that makes a tensor; None for an input or a constant."""
        return self._makers.get(tensor)

    def shape(self, tensor: str) -> tuple[int | None, ...] | None:
        """Return the shape of a tensor, None for each unknown side; None if nothing is known."""
        kind = self._types.get(tensor)
        if kind is None or not kind.HasField("shape"):
            return None
        return tuple(d.dim_value if d.dim_value > 0 else None for d in kind.shape.dim)

    def element(self, tensor: str) -> int:
        """Return the type of the elements, as `onnx.TensorProto` numbers them; 0 if unknown."""
        kind = self._types.get(tensor)
        return 0 if kind is None else int(kind.elem_type)

    def constant(self, tensor: str) -> npt.NDArray[Any] | None:
        """Return the value of a tensor that does not depend on the image; None if it does."""
        orders: list[list[int] | None] = []
        node = self.maker(tensor)
        while node is not None and node.op_type in (*_KEEPS_VALUES, "Transpose"):
            if node.op_type == "Transpose":
                orders.append(attribute(node, "perm"))
            tensor = node.input[0]
            node = self.maker(tensor)
        stored = self._initial.get(tensor)
        if node is not None and node.op_type == "Constant":
            stored = attribute(node, "value")
        if stored is None:
            return None
        value = numpy_helper.to_array(stored)
        for order in reversed(orders):
            value = value.transpose(order)
        return value

    def through(self, tensor: str, *, shapes: bool) -> str:
        """Go back over nodes that keep the values, and with ``shapes`` over those that reshape."""
        skipped = (*_KEEPS_VALUES, *_RESHAPES) if shapes else _KEEPS_VALUES
        node = self.maker(tensor)
        while node is not None and node.op_type in skipped:
            tensor = node.input[0]
            node = self.maker(tensor)
        return tensor

    def above(self, tensor: str) -> set[str]:
        """Return the operators of all nodes that a tensor depends on."""
        seen: set[str] = set()
        waiting, found = [tensor], set()
        while waiting:
            name = waiting.pop()
            node = self.maker(name)
            if node is None or name in seen:
                continue
            seen.add(name)
            found.add(node.op_type)
            waiting += node.input
        return found


def attribute(node: onnx.NodeProto, name: str) -> Any:  # noqa: ANN401 - as the attribute has it
    """Return the value of an attribute of a node; None if the node has none."""
    return next((helper.get_attribute_value(a) for a in node.attribute if a.name == name), None)


def axes(graph: Graph, node: onnx.NodeProto) -> Sequence[int] | None:
    """Return the axes of a reduction, not negative; None if they are not known."""
    given = attribute(node, "axes")
    if given is None and len(node.input) > 1:
        value = graph.constant(node.input[1])
        given = None if value is None else np.atleast_1d(value).tolist()
    shape = graph.shape(node.input[0])
    if given is None or (shape is None and min(given) < 0):
        return None
    return sorted(int(axis) % len(shape) if shape else int(axis) for axis in given)
