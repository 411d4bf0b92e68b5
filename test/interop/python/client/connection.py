"""A channel that signs every call and verifies every answer, so that generated stubs work over it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
from google.rpc import error_details_pb2, status_pb2
from sallyport.evidence.v1 import evidence_pb2 as evidence

from .answer import HEADER, ITSELF, Asked, owner_of
from .failures import Untrusted
from .keyset import Keyset
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
    """What generated stubs need of a channel. `last_digest` is the digest of the request sent last; without a keyset no
    answer of an owner is believed."""

    channel: grpc.Channel
    authority: str
    signer: Signer
    keyset: Keyset | None = None
    last_digest: bytes = field(default=b"", init=False)

    def unary_unary(
        self,
        method: str,
        request_serializer: Callable[[Any], bytes],
        response_deserializer: Callable[[bytes], Any],
        **options: Any,
    ) -> Callable[[Any], Any]:
        """Serialises a message once, signs those bytes in their frame, sends the same bytes, and verifies the answer
        over the bytes that came."""
        call = self.channel.unary_unary(method, lambda message: message, lambda message: message, **options)

        def signed(request: Any) -> Any:
            message = request_serializer(request)
            sent, self.last_digest = self.signer.sign(self.authority, method, _CONTENT_TYPE, frame(message))
            metadata = (
                ("content-digest", sent.content_digest),
                ("signature-input", sent.signature_input),
                ("signature", sent.signature),
            )
            content = self._verified(method, lambda: call.with_call(message, timeout=20, metadata=metadata))
            return response_deserializer(content)

        return signed

    def _verified(self, method: str, call: Callable[[], tuple[bytes, grpc.Call]]) -> bytes:
        owner = owner_of(method)
        if owner == ITSELF:
            return call()[0]
        if self.keyset is None:
            raise Untrusted("root")
        asked = Asked(owner, self.last_digest)
        try:
            content, answered = call()
        except grpc.RpcError as error:
            reason, metadata, signed_answer = details_of(error)
            if reason:
                asked.refusal(self.keyset, signed_answer, reason, metadata)
            raise
        headers = [value for name, value in answered.initial_metadata() if name == HEADER]
        asked.content(self.keyset, ",".join(headers), content)
        return content


def details_of(error: grpc.RpcError) -> tuple[str, dict[str, str], evidence.SignedAnswer | None]:
    """What the deployment says of a refusal: reason, metadata and the owner's signature; no reason when nothing does."""
    trailers = dict(error.trailing_metadata() or ())
    status = status_pb2.Status.FromString(trailers.get("grpc-status-details-bin", b""))
    reason, metadata, signed = "", {}, None
    for detail in status.details:
        info, answer = error_details_pb2.ErrorInfo(), evidence.SignedAnswer()
        if detail.Unpack(info) and info.domain == "sallyport":
            reason, metadata = info.reason, dict(info.metadata)
        elif detail.Unpack(answer):
            signed = answer
    return reason, metadata, signed


def frame(message: bytes) -> bytes:
    """The one gRPC frame of a message (§5.3)."""
    return b"\0" + len(message).to_bytes(4, "big") + message
