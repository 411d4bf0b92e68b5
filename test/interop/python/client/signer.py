import secrets
import time
from dataclasses import dataclass, replace

from . import ed25519
from .authority import normalise
from .base import Request, base_of, content_digest, request_digest
from .signature import COMPONENTS
from .text import b64, b64url


@dataclass(frozen=True)
class Signer:
    """Signs requests in the name of one key."""

    seed: bytes
    key_id: str

    @staticmethod
    def of_new_key(seed: bytes) -> "Signer":
        """Signs as a key that is not enrolled yet."""
        return Signer(seed, "key:" + b64url(ed25519.public_of(seed)))

    def sign(self, authority: str, path: str, content_type: str, body: bytes) -> tuple[Request, bytes]:
        """The request with its headers, and its digest (§2-§6). It draws a nonce, so every attempt signs anew."""
        nonce = b64url(secrets.token_bytes(16))
        created = int(time.time())
        params = (
            f'{COMPONENTS};created={created};nonce="{nonce}";keyid="{self.key_id}";alg="ed25519";tag="sallyport-v1"'
        )
        request = Request("POST", normalise(authority), path, content_type, content_digest(body), body, "sp=" + params)
        base = base_of(request, params)
        signature = f"sp=:{b64(ed25519.sign(self.seed, base.encode()))}:"
        return replace(request, signature=signature), request_digest(base)
