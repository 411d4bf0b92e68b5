"""The text that is signed (§4), and what names a request (§6)."""

import hashlib
from dataclasses import dataclass

from .text import b64, labelled


@dataclass(frozen=True)
class Request:
    """What a signature covers, and the signature."""

    method: str
    authority: str
    path: str
    content_type: str
    content_digest: str
    body: bytes
    signature_input: str = ""
    signature: str = ""


def signature_base(components: list[tuple[str, str]], params: str) -> str:
    """One line for each component, then the parameters; raises ValueError for what is not printable ASCII."""
    lines = [*components, ("@signature-params", params)]
    if not all("\x20" <= character <= "\x7e" for _, value in lines for character in value):
        raise ValueError("a value is not printable ASCII")
    return "\n".join(f'"{name}": {value}' for name, value in lines)


def base_of(request: Request, params: str) -> str:
    """The text that a request's signature covers; params is the member `sp` as sent."""
    return signature_base(
        [
            ("@method", request.method),
            ("@authority", request.authority),
            ("@path", request.path),
            ("content-type", request.content_type),
            ("content-digest", request.content_digest),
        ],
        params,
    )


def content_digest(body: bytes) -> str:
    """The header's value for the content bytes as sent (§5.1)."""
    return f"sha-256=:{b64(hashlib.sha256(body).digest())}:"


def request_digest(base: str) -> bytes:
    return hashlib.sha256(labelled("sallyport-request-v1", base.encode())).digest()
