"""Tokens and the statements that their keys sign (§8)."""

import hashlib
import re
import zlib
from dataclasses import dataclass

from . import ed25519
from .text import RANDOM, b64url, decode_b64url, labelled

_KEY = "[A-Za-z0-9_-]{43}"
_FORM = re.compile(rf"(sp_(enr|login)_(tok_{RANDOM})\.(vlt_{RANDOM})\.({_KEY})\.({_KEY}))\.([0-9a-f]{{8}})")
_LABELS = {"enr": "sallyport-enroll-v1", "login": "sallyport-login-v1"}


@dataclass(frozen=True)
class Token:
    """What a token's text holds."""

    kind: str
    id: str
    vault_id: str
    root_fingerprint: str
    seed: bytes

    @staticmethod
    def parse(text: str) -> "Token":
        """Raises ValueError for a text that is no token."""
        match = _FORM.fullmatch(text)
        if match is None:
            raise ValueError("not a token")
        if f"{zlib.crc32(match[1].encode()):08x}" != match[7]:
            raise ValueError("the token's checksum is wrong")
        decode_b64url(match[5])
        return Token(match[2], match[3], match[4], match[5], decode_b64url(match[6]))

    @property
    def public_key(self) -> bytes:
        return ed25519.public_of(self.seed)

    def statement(self, new_key: bytes) -> bytes:
        return labelled(_LABELS[self.kind], self.vault_id.encode() + self.public_key + new_key)

    def prove(self, new_key: bytes) -> bytes:
        """Signs that the token's key admits the new key to the vault. The token itself never travels."""
        return ed25519.sign(self.seed, self.statement(new_key))


def renewal_statement(vault_id: str, old_key: bytes, new_key: bytes) -> bytes:
    """What a new device key signs to take the place of an old one."""
    return labelled("sallyport-renew-v1", vault_id.encode() + old_key + new_key)


def fingerprint(root_public_key: bytes) -> str:
    """How a root's public key is pinned."""
    return b64url(hashlib.sha256(labelled("sallyport-root-v1", root_public_key)).digest())
