"""Sign and verify with Ed25519 (RFC 8032, Sections 5.1.6 and 5.1.7).

Verifying computes with public values only. Signing does not take constant time: it is for a person
who signs a file on a computer of their own, not for a service that others can ask and time.
"""

import hashlib

_P = 2**255 - 19
_ORDER = 2**252 + 27742317777372353535851937790883648493
_D = -121665 * pow(121666, -1, _P) % _P
_ROOT = pow(2, (_P - 1) // 4, _P)
_BYTES = 32

Point = tuple[int, int, int, int]
"""Extended coordinates X, Y, Z, T with x = X / Z, y = Y / Z, x y = T / Z."""


def verify(key: bytes, signature: bytes, message: bytes) -> bool:
    """Tell whether a signature of a message was made with the secret of a public key.

    Parameters
    ----------
    key
        Public key, 32 bytes.
    signature
        64 bytes.
    message
        What is signed.
    """
    if len(key) != _BYTES or len(signature) != 2 * _BYTES:
        return False
    public, commitment = _point(key), _point(signature[:_BYTES])
    scalar = int.from_bytes(signature[_BYTES:], "little")
    if public is None or commitment is None or scalar >= _ORDER:
        return False
    digest = hashlib.sha512(signature[:_BYTES] + key + message).digest()
    challenge = int.from_bytes(digest, "little") % _ORDER
    return _equal(_times(scalar, _BASE), _add(commitment, _times(challenge, public)))


def public_key(secret: bytes) -> bytes:
    """Return the public key, 32 bytes, of a secret of 32 bytes."""
    return _encoded(_times(_scalar(secret), _BASE))


def sign(secret: bytes, message: bytes) -> bytes:
    """Sign a message.

    Parameters
    ----------
    secret
        32 bytes.
    message
        What is signed.

    Returns
    -------
    bytes
        The signature, 64 bytes.
    """
    prefix = hashlib.sha512(secret).digest()[_BYTES:]
    nonce = int.from_bytes(hashlib.sha512(prefix + message).digest(), "little") % _ORDER
    commitment = _encoded(_times(nonce, _BASE))
    digest = hashlib.sha512(commitment + public_key(secret) + message).digest()
    answer = (nonce + int.from_bytes(digest, "little") * _scalar(secret)) % _ORDER
    return commitment + answer.to_bytes(_BYTES, "little")


def _scalar(secret: bytes) -> int:
    number = int.from_bytes(hashlib.sha512(secret).digest()[:_BYTES], "little")
    return number & ((1 << 254) - 8) | (1 << 254)


def _encoded(point: Point) -> bytes:
    inverse = pow(point[2], -1, _P)
    x, y = point[0] * inverse % _P, point[1] * inverse % _P
    return (y | (x & 1) << 255).to_bytes(_BYTES, "little")


def _x_of(y: int, odd: int) -> int | None:
    """Return x of a point of the curve with this y and parity; None if there is none."""
    if y >= _P:
        return None
    square = (y * y - 1) * pow(_D * y * y + 1, -1, _P) % _P
    x = pow(square, (_P + 3) // 8, _P)
    if (x * x - square) % _P:
        x = x * _ROOT % _P
    if (x * x - square) % _P or (x == 0 and odd):
        return None
    return _P - x if x % 2 != odd else x


def _point(encoded: bytes) -> Point | None:
    number = int.from_bytes(encoded, "little")
    y, odd = number & ((1 << 255) - 1), number >> 255
    x = _x_of(y, odd)
    return None if x is None else (x, y, 1, x * y % _P)


def _add(one: Point, other: Point) -> Point:
    a = (one[1] - one[0]) * (other[1] - other[0]) % _P
    b = (one[1] + one[0]) * (other[1] + other[0]) % _P
    c, d = 2 * one[3] * other[3] * _D % _P, 2 * one[2] * other[2] % _P
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % _P, g * h % _P, f * g % _P, e * h % _P


def _times(number: int, point: Point) -> Point:
    total: Point = (0, 1, 1, 0)
    while number:
        if number & 1:
            total = _add(total, point)
        point, number = _add(point, point), number >> 1
    return total


def _equal(one: Point, other: Point) -> bool:
    return not (
        (one[0] * other[2] - other[0] * one[2]) % _P or (one[1] * other[2] - other[1] * one[2]) % _P
    )


_BASE_Y = 4 * pow(5, -1, _P) % _P
_BASE_X = _x_of(_BASE_Y, 0) or 0
_BASE: Point = (_BASE_X, _BASE_Y, 1, _BASE_X * _BASE_Y % _P)
