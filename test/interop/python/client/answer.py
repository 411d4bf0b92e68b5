"""Verification of what an owner answered to a forwarded request (§11)."""

import hashlib
import re
from base64 import b64encode, urlsafe_b64decode
from collections.abc import Mapping
from dataclasses import dataclass

from google.protobuf.message import DecodeError
from sallyport.errors.v1 import reason_pb2 as reasons
from sallyport.evidence.v1 import evidence_pb2 as evidence

from . import ed25519
from .failures import Untrusted
from .keyset import OWNERS, Keyset
from .strict import decode_strict
from .text import labelled

HEADER = "sallyport-answer"
ITSELF = "itself"

_READ_SERVICE = "/sallyport.gateway.v1.ReadService/"
_METHOD = re.compile(r"/sallyport\.([a-z]+)\.v1\.[A-Za-z]+/[A-Za-z]+")
_NEXT_STEP = re.compile("[ -~]{0,200}")
_REASONS = set(reasons.Reason.values()) - {reasons.REASON_UNSPECIFIED}

# What a gateway refuses for by itself, without the owner of the method, and the fields of a request's head.
_GATEWAY_REASONS = {
    "REQUEST_REJECTED",
    "CLOCK_SKEW",
    "MACHINE_EXPIRED",
    "MACHINE_DISABLED",
    "ROLE_REQUIRED",
    "TOO_LARGE",
    "RATE_LIMITED",
    "DEPENDENCY_UNAVAILABLE",
    "INTERNAL",
}
_HEAD_FIELDS = {
    "authority",
    "body",
    "content-digest",
    "content-encoding",
    "content-type",
    "connect-content-encoding",
    "grpc-encoding",
    "headers",
    "method",
    "path",
    "trailer",
}


def owner_of(method: str) -> str:
    """Whose answer key signs the answers of a method: "itself" for the read and the keyset, which carry a signature of
    their own; raises ValueError for what is no method of the deployment's."""
    if method in (_READ_SERVICE + "ReadSecrets", _READ_SERVICE + "GetKeyset"):
        return ITSELF
    if method == _READ_SERVICE + "ListReadableSecrets":
        return "secrets"
    found = _METHOD.fullmatch(method)
    if found is None or found[1] not in OWNERS:
        raise ValueError("no method of the deployment's")
    return found[1]


@dataclass(frozen=True)
class Asked:
    """A request that an owner must have answered."""

    owner: str
    digest: bytes

    def content(self, keyset: Keyset, header: str, content: bytes) -> None:
        """Verifies that the owner answered with these bytes; the header is empty when there is none."""
        claims = self._claims(keyset, _header_of(header))
        if claims.WhichOneof("outcome") != "content_sha256":
            raise Untrusted("answer-outcome")
        if claims.content_sha256 != hashlib.sha256(content).digest():
            raise Untrusted("answer-content")

    def refusal(
        self, keyset: Keyset, signed: evidence.SignedAnswer | None, reason: str, metadata: Mapping[str, str]
    ) -> bool:
        """Verifies that the owner refused for this reason, and tells whether it did: a gateway refuses for some
        reasons by itself, and then nobody signs."""
        if signed is None and _may_gateway_refuse(reason, metadata):
            return False
        claims = self._claims(keyset, signed)
        if claims.WhichOneof("outcome") != "refusal":
            raise Untrusted("answer-outcome")
        name = reasons.Reason.Name(claims.refusal.reason).removeprefix("REASON_")
        if name != reason or dict(claims.refusal.metadata) != dict(metadata):
            raise Untrusted("answer-refusal")
        return True

    def _claims(self, keyset: Keyset, signed: evidence.SignedAnswer | None) -> evidence.AnswerClaims:
        """Verifies the signature, then decodes."""
        if signed is None:
            raise Untrusted("answer-missing")
        key = keyset.answer_key(self.owner, signed.key_id)
        if not ed25519.verify(key, labelled("sallyport-answer-v1", signed.payload), signed.signature):
            raise Untrusted("answer-signature")
        claims = evidence.AnswerClaims()
        try:
            decode_strict(signed.payload, claims)
        except ValueError as error:
            raise Untrusted("answer-form") from error
        if not _is_answer(claims):
            raise Untrusted("answer-form")
        if claims.request_digest != self.digest:
            raise Untrusted("answer-digest")
        return claims


def _is_answer(claims: evidence.AnswerClaims) -> bool:
    """Checks the bounds of the contract."""
    if len(claims.request_digest) != 32 or claims.keyset_epoch == 0:
        return False
    match claims.WhichOneof("outcome"):
        case "content_sha256":
            return len(claims.content_sha256) == 32
        case "refusal":
            return is_refusal(claims.refusal)
    return False


def is_refusal(refusal: reasons.Refusal) -> bool:
    """Checks the bounds of the contract."""
    metadata = [(key.encode(), value.encode()) for key, value in refusal.metadata.items()]
    return (
        refusal.reason in _REASONS
        and len(metadata) <= 8
        and all(0 < len(key) <= 64 and len(value) <= 512 for key, value in metadata)
        and _NEXT_STEP.fullmatch(refusal.next_step) is not None
    )


def _header_of(text: str) -> evidence.SignedAnswer | None:
    """Reads the header of a signed answer; None for what is none."""
    try:
        data = urlsafe_b64decode(text + "=" * (-len(text) % 4))
        canonical = b64encode(data, altchars=b"-_").rstrip(b"=") == text.encode()
        return evidence.SignedAnswer.FromString(data) if text and canonical else None
    except (ValueError, DecodeError):
        return None


def _may_gateway_refuse(reason: str, metadata: Mapping[str, str]) -> bool:
    return reason in _GATEWAY_REASONS or (reason == "FIELD_INVALID" and metadata.get("field") in _HEAD_FIELDS)
