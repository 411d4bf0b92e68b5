"""HPKE base mode for a recipient (RFC 9180): DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, AES-256-GCM."""

import hmac

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_KEM_SUITE = b"KEM" + (0x0020).to_bytes(2, "big")
_SUITE = b"HPKE" + b"".join(number.to_bytes(2, "big") for number in (0x0020, 0x0001, 0x0002))

_P = 2**255 - 19
# The u coordinates to which nothing can be sealed: they are of small order.
_ORDER_8 = ("e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
            "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157")
_SMALL_ORDER = {0, 1, _P - 1, *(int.from_bytes(bytes.fromhex(u), "little") for u in _ORDER_8)}


def is_recipient_key(key: bytes) -> bool:
    """Takes a key in its one encoding, and none of small order (§5.5)."""
    u = int.from_bytes(key, "little")
    return len(key) == 32 and u < _P and u not in _SMALL_ORDER


class Recipient:
    """One context; it opens the values of one sender in the order in which they were sealed."""

    def __init__(self, encapsulated_key: bytes, key: X25519PrivateKey, info: bytes) -> None:
        secret = _extract(_SUITE, _decapsulate(encapsulated_key, key), b"secret", b"")
        context = b"\0" + _extract(_SUITE, b"", b"psk_id_hash", b"") + _extract(_SUITE, b"", b"info_hash", info)
        self._aead = AESGCM(_expand(_SUITE, secret, b"key", context, 32))
        self._base_nonce = int.from_bytes(_expand(_SUITE, secret, b"base_nonce", context, 12), "big")
        self._sequence = 0

    def open(self, aad: bytes, ciphertext: bytes) -> bytes:
        """Raises ValueError for what does not open."""
        nonce = (self._base_nonce ^ self._sequence).to_bytes(12, "big")
        try:
            plaintext = self._aead.decrypt(nonce, ciphertext, aad)
        except (InvalidTag, ValueError) as error:
            raise ValueError("the value does not open") from error
        self._sequence += 1
        return plaintext


def _decapsulate(encapsulated_key: bytes, key: X25519PrivateKey) -> bytes:
    shared = key.exchange(X25519PublicKey.from_public_bytes(encapsulated_key))
    context = encapsulated_key + key.public_key().public_bytes_raw()
    return _expand(_KEM_SUITE, _extract(_KEM_SUITE, b"", b"eae_prk", shared), b"shared_secret", context, 32)


def _extract(suite: bytes, salt: bytes, label: bytes, material: bytes) -> bytes:
    return hmac.digest(salt or bytes(32), b"HPKE-v1" + suite + label + material, "sha256")


def _expand(suite: bytes, key: bytes, label: bytes, info: bytes, length: int) -> bytes:
    """No length here is above one block of HKDF-Expand."""
    labelled_info = length.to_bytes(2, "big") + b"HPKE-v1" + suite + label + info
    return hmac.digest(key, labelled_info + b"\x01", "sha256")[:length]
