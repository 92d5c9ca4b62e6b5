"""Write a picture as PNG."""

import struct
import zlib

import numpy as np
import numpy.typing as npt

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_RGB = 2
_FILTER_UP = 2


def encode_png(picture: npt.NDArray[np.uint8]) -> bytes:
    """Encode an RGB picture.

    Parameters
    ----------
    picture
        Shape (rows, columns, 3).

    Notes
    -----
    W3C Portable Network Graphics, third edition; every row is filtered against the one above.
    """
    rows, columns, _ = picture.shape
    lines = picture.reshape(rows, columns * 3)
    filtered = np.empty((rows, 1 + columns * 3), np.uint8)
    filtered[:, 0] = _FILTER_UP
    filtered[0, 1:] = lines[0]
    filtered[1:, 1:] = lines[1:] - lines[:-1]  # modulo 256, as the filter wants
    header = struct.pack(">IIBBBBB", columns, rows, 8, _RGB, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(filtered.tobytes(), 6)), (b"IEND", b""))
    return _SIGNATURE + b"".join(_chunk(kind, data) for kind, data in chunks)


def _chunk(kind: bytes, data: bytes) -> bytes:
    checksum = zlib.crc32(kind + data)
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", checksum)
