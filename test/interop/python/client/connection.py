"""A channel that signs every call, so that generated stubs work over it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc

from .signer import Signer

# The content type that grpcio sends.
_CONTENT_TYPE = "application/grpc"


@dataclass(frozen=True)
class Endpoint:
    """Where the deployment is reached: the authority as its public name says, and its certificate. `connect`, unless
    empty, is dialled in its place, as curl's --connect-to does."""

    authority: str
    ca_file: str
    connect: str

    def open(self) -> grpc.Channel:
        host = self.authority.rpartition(":")[0] or self.authority
        options: list[tuple[str, Any]] = [("grpc.enable_retries", 0)]
        if self.connect:
            options += [("grpc.default_authority", self.authority), ("grpc.ssl_target_name_override", host)]
        credentials = grpc.ssl_channel_credentials(Path(self.ca_file).read_bytes())
        return grpc.secure_channel(self.connect or self.authority, credentials, options)


@dataclass
class SigningChannel:
    """What generated stubs need of a channel. `last_digest` is the digest of the request sent last."""

    channel: grpc.Channel
    authority: str
    signer: Signer
    last_digest: bytes = field(default=b"", init=False)

    def unary_unary(
        self,
        method: str,
        request_serializer: Callable[[Any], bytes],
        response_deserializer: Callable[[bytes], Any],
        **options: Any,
    ) -> Callable[[Any], Any]:
        """Serialises a message once, signs those bytes in their frame, and sends the same bytes."""
        call = self.channel.unary_unary(method, lambda message: message, response_deserializer, **options)

        def signed(request: Any) -> Any:
            message = request_serializer(request)
            sent, self.last_digest = self.signer.sign(self.authority, method, _CONTENT_TYPE, frame(message))
            metadata = (
                ("content-digest", sent.content_digest),
                ("signature-input", sent.signature_input),
                ("signature", sent.signature),
            )
            return call(message, timeout=20, metadata=metadata)

        return signed


def frame(message: bytes) -> bytes:
    """The one gRPC frame of a message (§5.3)."""
    return b"\0" + len(message).to_bytes(4, "big") + message
