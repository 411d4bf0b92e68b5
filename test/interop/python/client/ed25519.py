"""Ed25519 with the verdicts of §7."""

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

_P = 2**255 - 19

# The y coordinates of the points of order 1, 2, 4 and 8.
_ORDER_8 = int.from_bytes(bytes.fromhex("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a"), "little")
_SMALL_ORDER = {0, 1, _P - 1, _ORDER_8, _P - _ORDER_8}


def verify(public_key: bytes, message: bytes, signature: bytes) -> bool:
    """The library solves the equation without the cofactor and refuses S >= L, but takes points of small order and
    other encodings of a key."""
    if len(public_key) != 32 or len(signature) != 64:
        return False
    if not _is_strict_point(public_key) or not _is_strict_point(signature[:32]):
        return False
    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True


def sign(seed: bytes, message: bytes) -> bytes:
    return Ed25519PrivateKey.from_private_bytes(seed).sign(message)


def public_of(seed: bytes) -> bytes:
    return Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw()


def _is_strict_point(encoded: bytes) -> bool:
    """Refuses y >= p and small order; x = 0 belongs to small order, so its sign bit needs no rule."""
    y = int.from_bytes(encoded, "little") & (2**255 - 1)
    return y < _P and y not in _SMALL_ORDER
