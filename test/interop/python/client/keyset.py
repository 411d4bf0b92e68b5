"""Trust in the deployment's keys (§10)."""

import re
from dataclasses import dataclass

from google.protobuf.timestamp_pb2 import Timestamp
from sallyport.evidence.v1 import evidence_pb2 as evidence

from . import ed25519
from .failures import Untrusted
from .strict import decode_strict
from .text import labelled
from .token import fingerprint

_KEY_FORM = re.compile("[a-z0-9-]{1,64}")
OWNERS = {"identity", "policy", "secrets", "audit"}
_USES = set(evidence.KeyUse.values()) - {evidence.KEY_USE_UNSPECIFIED}


@dataclass(frozen=True)
class Keyset:
    """The deployment's public keys, verified."""

    epoch: int
    keys: dict[tuple[int, str], bytes]
    answer_keys: dict[tuple[str, str], bytes]

    @staticmethod
    def trust(keyset: evidence.Keyset, pinned: str, now: float, smallest_epoch: int) -> "Keyset":
        """Verifies against the pinned root fingerprint: the root's word for the signer, then the signer's."""
        if fingerprint(keyset.root_public_key) != pinned:
            raise Untrusted("root")
        signer = _signer_of(keyset, now)
        if not ed25519.verify(signer.public_key, labelled("sallyport-keyset-v1", keyset.payload), keyset.signature):
            raise Untrusted("keyset-signature")
        claims = _decode(keyset.payload)
        if now >= _seconds(claims.not_after):
            raise Untrusted("keyset-expired")
        if claims.epoch < smallest_epoch or not signer.min_epoch <= claims.epoch <= signer.max_epoch:
            raise Untrusted("keyset-epoch")
        answers = (key for key in claims.keys if key.use == evidence.KEY_USE_ANSWER)
        return Keyset(
            claims.epoch,
            {(key.use, key.key_id): key.public_key for key in claims.keys},
            {(key.holder, key.key_id): key.public_key for key in answers},
        )

    def answer_key(self, owner: str, key_id: str) -> bytes:
        """The owner's answer key of the id; empty when there is none."""
        return self.answer_keys.get((owner, key_id), b"")

    def reply_key(self, key_id: str) -> bytes:
        """The reply key of the id; empty when there is none."""
        return self.keys.get((evidence.KEY_USE_REPLY, key_id), b"")


def _signer_of(keyset: evidence.Keyset, now: float) -> evidence.KeysetSignerClaims:
    statement = keyset.signer
    preimage = labelled("sallyport-keyset-signer-v1", statement.payload)
    if not ed25519.verify(keyset.root_public_key, preimage, statement.signature):
        raise Untrusted("signer-signature")
    claims = evidence.KeysetSignerClaims()
    try:
        decode_strict(statement.payload, claims)
    except ValueError as error:
        raise Untrusted("signer-form") from error
    if (
        _KEY_FORM.fullmatch(claims.key_id) is None
        or len(claims.public_key) != 32
        or not claims.HasField("not_before")
        or not claims.HasField("not_after")
        or _seconds(claims.not_before) >= _seconds(claims.not_after)
        or not 0 < claims.min_epoch <= claims.max_epoch
    ):
        raise Untrusted("signer-form")
    if not _seconds(claims.not_before) <= now < _seconds(claims.not_after):
        raise Untrusted("signer-time")
    return claims


def _seconds(time: Timestamp) -> float:
    return time.seconds + time.nanos / 1e9


def _decode(payload: bytes) -> evidence.KeysetClaims:
    claims = evidence.KeysetClaims()
    try:
        decode_strict(payload, claims)
    except ValueError as error:
        raise Untrusted("keyset-form") from error
    names = {(key.use, key.key_id) for key in claims.keys}
    if (
        claims.epoch == 0
        or not claims.HasField("not_after")
        or len(claims.keys) > 32
        or len(names) != len(claims.keys)
        or {key.use for key in claims.keys} != _USES
        or {key.holder for key in claims.keys if key.use == evidence.KEY_USE_ANSWER} != OWNERS
        or any(key.holder for key in claims.keys if key.use != evidence.KEY_USE_ANSWER)
        or any(_KEY_FORM.fullmatch(key.key_id) is None or len(key.public_key) != 32 for key in claims.keys)
    ):
        raise Untrusted("keyset-form")
    return claims
