"""Base64, ids and labels (§1, §10)."""

import base64
import binascii

# What follows an id's prefix.
RANDOM = "[0-9a-hjkmnp-tv-z]{20}"


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def b64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def decode_b64(text: str) -> bytes:
    """Decodes canonical base64; raises ValueError for any other."""
    data = _decode(text, b"+/")
    if b64(data) != text:
        raise ValueError("not canonical base64")
    return data


def decode_b64url(text: str) -> bytes:
    """Decodes canonical base64url without padding; raises ValueError for any other."""
    data = _decode(text + "=" * (-len(text) % 4), b"-_")
    if b64url(data) != text:
        raise ValueError("not canonical base64url")
    return data


def labelled(label: str, rest: bytes) -> bytes:
    return label.encode() + b"\0" + rest


def _decode(text: str, alphabet: bytes) -> bytes:
    try:
        return base64.b64decode(text, altchars=alphabet, validate=True)
    except (binascii.Error, ValueError) as error:
        raise ValueError("not base64") from error
