"""Strict reading of the two headers (§3)."""

import re
from dataclasses import dataclass

from .text import RANDOM, decode_b64, decode_b64url

COMPONENTS = '("@method" "@authority" "@path" "content-type" "content-digest")'

_LAST_CREATED = 253402300799
_CREATED = re.compile("0|[1-9][0-9]{0,14}")
_STRING = re.compile('"([^"\\\\]*)"')
_KEY_ID = re.compile(rf"mch_{RANDOM}|usr_{RANDOM}\.{RANDOM}|key:([A-Za-z0-9_-]{{43}})")


@dataclass(frozen=True)
class Params:
    """The parameters of a signature; text is the member `sp` as received, which the signature covers."""

    created: int
    key_id: str
    text: str


def parse_signature_input(header: str) -> Params:
    """Raises ValueError unless the header is exactly of the profile.

    A separator inside a string breaks the grammar of that string, so splitting finds every parameter.
    """
    prefix = f"sp={COMPONENTS};"
    if not header.startswith(prefix):
        raise ValueError("not the member sp with the five components")
    pairs = [param.partition("=")[::2] for param in header.removeprefix(prefix).split(";")]
    values = dict(pairs)
    if len(pairs) != 5 or set(values) != {"created", "nonce", "keyid", "alg", "tag"}:
        raise ValueError("not the five parameters")
    if values["alg"] != '"ed25519"' or values["tag"] != '"sallyport-v1"':
        raise ValueError("another algorithm or profile")
    if not 16 <= len(decode_b64url(_unquote(values["nonce"]))) <= 64:
        raise ValueError("the nonce is not of 16 to 64 bytes")
    return Params(_created(values["created"]), _key_id(_unquote(values["keyid"])), header.removeprefix("sp="))


def parse_signature(header: str) -> bytes:
    """The 64 bytes of the header; raises ValueError for any other form."""
    match = re.fullmatch("sp=:([^:]*):", header)
    signature = decode_b64(match[1]) if match else b""
    if len(signature) != 64:
        raise ValueError("not a signature")
    return signature


def _created(text: str) -> int:
    if _CREATED.fullmatch(text) is None or int(text) > _LAST_CREATED:
        raise ValueError("created is not a time")
    return int(text)


def _key_id(text: str) -> str:
    match = _KEY_ID.fullmatch(text)
    if match is None:
        raise ValueError("not a keyid")
    if match[1]:
        decode_b64url(match[1])
    return text


def _unquote(text: str) -> str:
    match = _STRING.fullmatch(text)
    if match is None:
        raise ValueError("not a string")
    return match[1]
