"""Verification of a reply, before a value is opened (§9.1, §10.1)."""

import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from sallyport.evidence.v1 import evidence_pb2 as evidence
from sallyport.gateway.v1 import read_pb2 as gateway

from . import ed25519, hpke
from .answer import is_refusal
from .failures import Untrusted
from .keyset import Keyset
from .sealing import read_aad, read_info
from .strict import decode_strict
from .text import RANDOM, labelled

_SECRET_ID = re.compile(f"sec_{RANDOM}")
_PAGE_TOKEN = re.compile(f"(sec_{RANDOM})?")
_KINDS = set(evidence.ValueKind.values())


@dataclass(frozen=True)
class Secret:
    """A value that was opened."""

    id: str
    name: str
    version: int
    value: bytes


@dataclass(frozen=True)
class Question:
    """What a reply must answer: one signed request, to one recipient, for these secrets or, with None, for all that
    are granted; with a version, for that one, else for the current one."""

    digest: bytes
    recipient: X25519PrivateKey
    ids: list[str] | None
    version: int = 0

    def open(self, keyset: Keyset, reply: gateway.ReadSecretsResponse) -> tuple[list[Secret], str]:
        """The values, and where the next page begins."""
        claims = _claims_of(keyset, reply)
        if claims.request_digest != self.digest:
            raise Untrusted("reply-digest")
        if not self._is_answered_by(claims.secrets):
            raise Untrusted("reply-secrets")
        if claims.next_page_token != reply.next_page_token:
            raise Untrusted("reply-page")
        sealed = list(_match(claims.secrets, reply.secrets))
        return self._unseal(reply.encapsulated_key, sealed), claims.next_page_token

    def _is_answered_by(self, secrets: Sequence[evidence.ReplySecret]) -> bool:
        answered = {secret.secret_id for secret in secrets}
        versions = {secret.version for secret in secrets if not secret.HasField("refusal")}
        return (
            len(answered) == len(secrets)
            and (self.ids is None or answered == set(self.ids))
            and (self.version == 0 or versions <= {self.version})
        )

    def _unseal(self, encapsulated_key: bytes, sealed: list[tuple[evidence.ReplySecret, bytes]]) -> list[Secret]:
        if not sealed:
            return []
        try:
            context = hpke.Recipient(encapsulated_key, self.recipient, read_info(self.digest))
            return [
                Secret(
                    claim.secret_id,
                    claim.name,
                    claim.version,
                    context.open(read_aad(claim.secret_id, claim.version), ciphertext),
                )
                for claim, ciphertext in sealed
            ]
        except ValueError as error:
            raise Untrusted("seal") from error


def _claims_of(keyset: Keyset, reply: gateway.ReadSecretsResponse) -> evidence.ReplyClaims:
    """Verifies the signature, then decodes."""
    if not reply.HasField("reply"):
        raise Untrusted("reply-missing")
    signed = reply.reply
    message = labelled("sallyport-reply-v1", signed.payload)
    if not ed25519.verify(keyset.reply_key(signed.key_id), message, signed.signature):
        raise Untrusted("reply-signature")
    claims = evidence.ReplyClaims()
    try:
        decode_strict(signed.payload, claims)
    except ValueError as error:
        raise Untrusted("reply-form") from error
    if not _is_reply(claims):
        raise Untrusted("reply-form")
    return claims


def _is_reply(claims: evidence.ReplyClaims) -> bool:
    """Checks the bounds of the contract."""
    return (
        len(claims.request_digest) == 32
        and len(claims.secrets) <= 100
        and _PAGE_TOKEN.fullmatch(claims.next_page_token) is not None
        and all(map(_is_outcome, claims.secrets))
    )


def _is_outcome(secret: evidence.ReplySecret) -> bool:
    """Whether a secret was either refused, with nothing in it, or opened, with everything."""
    if _SECRET_ID.fullmatch(secret.secret_id) is None or secret.kind not in _KINDS:
        return False
    if secret.HasField("refusal"):
        said = secret.name or secret.version or secret.kind or secret.content_sha256 or secret.HasField("receipt")
        return not said and is_refusal(secret.refusal)
    return (
        0 < len(secret.name.encode()) <= 128
        and secret.version > 0
        and secret.kind != evidence.VALUE_KIND_UNSPECIFIED
        and len(secret.content_sha256) == 32
    )


def _match(
    claims: Sequence[evidence.ReplySecret], results: Sequence[gateway.SecretResult]
) -> Iterator[tuple[evidence.ReplySecret, bytes]]:
    """Finds the result of every claim by its id, in the order of the claims; gives those that were opened."""
    found = {result.secret_id: result for result in results}
    if len(found) != len(results) or set(found) != {claim.secret_id for claim in claims}:
        raise Untrusted("reply-results")
    for claim in claims:
        result = found[claim.secret_id]
        content = result.WhichOneof("content")
        if any(getattr(result, name) != getattr(claim, name) for name in ("name", "version", "kind", "refusal")):
            raise Untrusted("reply-results")
        if result.HasField("refusal") != claim.HasField("refusal"):
            raise Untrusted("reply-results")
        if claim.HasField("refusal"):
            if content is not None:
                raise Untrusted("reply-results")
            continue
        if content != "ciphertext" or hashlib.sha256(result.ciphertext).digest() != claim.content_sha256:
            raise Untrusted("reply-content")
        yield claim, result.ciphertext
