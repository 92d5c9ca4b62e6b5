"""Read the tensors of a PyTorch file (legacy form) without running code of it.

Such a file is a row of pickles: a magic number, a version, facts on the machine, the dictionary of
tensors, and the list of storages; then the storages themselves. A pickle is a program. Here only
the instructions that build dictionaries, tuples and tensors are carried out, by a small machine of
our own; the file cannot name anything else to be called.
"""

import math
import pickletools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from pacs_ai.errors import DataError

Arrays = Mapping[str, npt.NDArray[Any]]

_MAGIC, _VERSION = 0x1950A86A20F9469CFC6C, 1001
_TYPES = {
    "torch DoubleStorage": "<f8",
    "torch FloatStorage": "<f4",
    "torch HalfStorage": "<f2",
    "torch LongStorage": "<i8",
    "torch IntStorage": "<i4",
}
_DICTIONARY, _TENSOR = "collections OrderedDict", "torch._utils _rebuild_tensor_v2"
_MARK = object()
_COUNT_BYTES = 8


@dataclass(frozen=True, slots=True)
class _Global:
    """A name that the pickle refers to; it is never imported."""

    name: str


@dataclass(frozen=True, slots=True)
class _Storage:
    key: str
    dtype: str
    elements: int


@dataclass(frozen=True, slots=True)
class _Tensor:
    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


def read_tensors(path: Path) -> dict[str, npt.NDArray[Any]]:
    """Read a dictionary of tensors.

    Parameters
    ----------
    path
        A file of ``torch.save`` in the form before PyTorch 1.6.

    Raises
    ------
    DataError
        If the file is of another form, is damaged, or refers to anything but tensors.
    """
    try:
        with path.open("rb") as file:
            return _read(file)
    except (OSError, ValueError, KeyError, IndexError, TypeError, AttributeError) as error:
        raise DataError(
            f"{path.name} is not a dictionary of tensors in the legacy form of PyTorch: {error}"
        ) from error


def _read(file: BinaryIO) -> dict[str, npt.NDArray[Any]]:
    if (_load(file), _load(file)) != (_MAGIC, _VERSION):
        raise ValueError("it does not begin as such a file does")
    machine = _load(file)
    if machine.get("little_endian") is not True:
        raise ValueError("it is of a machine with another byte order")
    found = _load(file)
    tensors = {str(name): value for name, value in found.items() if isinstance(value, _Tensor)}
    if len(tensors) != len(found):
        raise ValueError("it has entries that are not tensors")
    wanted = {tensor.storage.key: tensor.storage for tensor in tensors.values()}
    data = {}
    for key in _load(file):
        storage = wanted[key]
        elements = int.from_bytes(file.read(_COUNT_BYTES), "little")
        content = file.read(elements * np.dtype(storage.dtype).itemsize)
        data[key] = np.frombuffer(content, storage.dtype)
        if elements != storage.elements or len(data[key]) != elements:
            raise ValueError(f"storage {key} is incomplete")
    return {name: _view(tensor, data[tensor.storage.key]) for name, tensor in tensors.items()}


def _view(tensor: _Tensor, data: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return the elements of a storage that belong to a tensor."""
    steps = zip(tensor.shape, tensor.strides, strict=True)
    last = tensor.offset + sum((length - 1) * stride for length, stride in steps)
    if min((tensor.offset, *tensor.shape, *tensor.strides)) < 0 or (
        math.prod(tensor.shape) > 0 and last >= len(data)
    ):
        raise ValueError("a tensor lies outside of its storage")
    size = data.dtype.itemsize
    strides = [stride * size for stride in tensor.strides]
    return np.lib.stride_tricks.as_strided(
        data[tensor.offset :], tensor.shape, strides, writeable=False
    ).copy()


def _load(file: BinaryIO) -> Any:  # noqa: ANN401 - what a pickle holds
    """Carry out one pickle."""
    machine = _Machine()
    for opcode, argument, _ in pickletools.genops(file):
        if opcode.name == "STOP":
            return machine.stack.pop()
        machine.step(opcode.name, argument)
    raise ValueError("it ends within a pickle")


class _Machine:
    """The stack and the memory of a pickle."""

    def __init__(self) -> None:
        self.stack: list[Any] = []
        self._memory: dict[int, Any] = {}

    def step(self, name: str, argument: Any) -> None:  # noqa: ANN401 - of any instruction
        """Carry out one instruction, or refuse it."""
        if name in ("PROTO", "FRAME"):
            return
        if name in _CONSTANTS:
            self.stack.append(_CONSTANTS[name](argument))
        elif name in ("BINPUT", "LONG_BINPUT"):
            self._memory[argument] = self.stack[-1]
        elif name in ("BINGET", "LONG_BINGET"):
            self.stack.append(self._memory[argument])
        else:
            instruction = _INSTRUCTIONS.get(name)
            if instruction is None:
                raise ValueError(f"the instruction {name} is not allowed")
            instruction(self)

    def since_mark(self) -> list[Any]:
        """Take all values since the last mark."""
        at = len(self.stack) - 1 - self.stack[::-1].index(_MARK)
        values = self.stack[at + 1 :]
        del self.stack[at:]
        return values

    def take(self, count: int) -> list[Any]:
        """Take the last values."""
        values = self.stack[-count:]
        if len(values) != count:
            raise ValueError("it takes more values than there are")
        del self.stack[-count:]
        return values

    def fill(self, values: list[Any]) -> None:
        """Put keys and values into the dictionary on the stack."""
        self.stack[-1].update(zip(values[::2], values[1::2], strict=True))


def _reduce(machine: _Machine) -> None:
    """Call one of the two functions that are known here."""
    function, arguments = machine.take(2)
    if function == _Global(_DICTIONARY) and arguments == ():
        machine.stack.append({})
    elif function == _Global(_TENSOR):
        storage, offset, shape, strides = arguments[:4]
        machine.stack.append(_Tensor(storage, offset, shape, strides))
    else:
        raise ValueError(f"it calls {getattr(function, 'name', function)}, which is not allowed")


def _persistent(machine: _Machine) -> None:
    """Refer to a storage, whose elements follow after the pickles."""
    word, kind, key, _device, elements, view = machine.stack.pop()
    if word != "storage" or view is not None or not isinstance(kind, _Global):
        raise ValueError("a storage is described in another way")
    machine.stack.append(_Storage(key, _TYPES[kind.name], elements))


def _build(machine: _Machine) -> None:
    """Leave out the attributes that PyTorch adds to the dictionary."""
    owner, _ = machine.take(2)
    if not isinstance(owner, dict):
        raise TypeError("only a dictionary may have attributes")
    machine.stack.append(owner)


def _itself(argument: Any) -> Any:  # noqa: ANN401 - of any instruction
    return argument


_CONSTANTS: Mapping[str, Callable[[Any], Any]] = {
    **dict.fromkeys(("BININT", "BININT1", "BININT2", "LONG1", "BINUNICODE"), _itself),
    "NONE": lambda _: None,
    "NEWTRUE": lambda _: True,
    "NEWFALSE": lambda _: False,
    "MARK": lambda _: _MARK,
    "EMPTY_TUPLE": lambda _: (),
    "EMPTY_DICT": lambda _: {},
    "EMPTY_LIST": lambda _: [],
    "GLOBAL": _Global,
}

_INSTRUCTIONS: Mapping[str, Callable[[_Machine], None]] = {
    "TUPLE": lambda machine: machine.stack.append(tuple(machine.since_mark())),
    "TUPLE1": lambda machine: machine.stack.append(tuple(machine.take(1))),
    "TUPLE2": lambda machine: machine.stack.append(tuple(machine.take(2))),
    "TUPLE3": lambda machine: machine.stack.append(tuple(machine.take(3))),
    "SETITEM": lambda machine: machine.fill(machine.take(2)),
    "SETITEMS": lambda machine: machine.fill(machine.since_mark()),
    "APPEND": lambda machine: machine.stack[-2].append(machine.stack.pop()),
    "APPENDS": lambda machine: _extend(machine, machine.since_mark()),
    "REDUCE": _reduce,
    "BINPERSID": _persistent,
    "BUILD": _build,
}


def _extend(machine: _Machine, values: list[Any]) -> None:
    machine.stack[-1].extend(values)
