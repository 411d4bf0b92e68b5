"""The other side: verification of requests (§4.1), to run the vectors."""

import json
import re
from dataclasses import dataclass

from google.protobuf import json_format
from google.protobuf.message import Message
from sallyport.evidence.v1 import evidence_pb2 as evidence
from sallyport.gateway.v1 import read_pb2 as gateway

from . import ed25519, hpke
from .authority import normalise
from .base import Request, base_of, content_digest, request_digest
from .failures import Refused
from .signature import parse_signature, parse_signature_input
from .strict import decode_strict
from .text import RANDOM, b64url, decode_b64

_PATH = re.compile(r"/[A-Za-z0-9_]+(?:\.[A-Za-z0-9_]+)*/[A-Za-z0-9_]+")
_CONTENT_TYPES = {"application/json", "application/proto", "application/grpc", "application/grpc+proto"}


@dataclass(frozen=True)
class Expected:
    """What a verifier knows about who asks, and about itself."""

    public_key: bytes
    key_id: str
    authorities: list[str]
    now: int
    window: int


def verify_request(request: Request, expected: Expected) -> bytes:
    """The digest of a request that holds, step by step (§4.1)."""
    _demand("content-type", request.content_type in _CONTENT_TYPES)
    _demand("content-digest", _is_content_digest(request.content_digest))
    try:
        params = parse_signature_input(request.signature_input)
        signature = parse_signature(request.signature)
        base = base_of(request, params.text)
    except ValueError as error:
        raise Refused("signature") from error
    _demand("binding", _is_bound(params.key_id, expected))
    _demand("signature", ed25519.verify(expected.public_key, base.encode(), signature))
    _demand("method", request.method == "POST")
    _demand("authority", request.authority in map(normalise, expected.authorities))
    _demand("path", _PATH.fullmatch(request.path) is not None)
    _demand("created", abs(expected.now - params.created) <= expected.window)
    _demand("content-digest", request.content_digest == content_digest(request.body))
    return request_digest(base)


def _demand(step: str, holds: bool) -> None:
    if not holds:
        raise Refused(step)


def _is_bound(key_id: str, expected: Expected) -> bool:
    is_new = key_id.startswith("key:")
    return key_id == expected.key_id and (not is_new or key_id == "key:" + b64url(expected.public_key))


def _is_content_digest(text: str) -> bool:
    """One canonical SHA-256 without parameters."""
    match = re.fullmatch("sha-256=:([^:]*):", text)
    try:
        return match is not None and len(decode_b64(match[1])) == 32
    except ValueError:
        return False


def decode_read(content_type: str, body: bytes) -> gateway.ReadSecretsRequest:
    """Decodes the body of a read strictly (§5.2-§5.4) and checks the bounds that the contract names."""
    request = gateway.ReadSecretsRequest()
    if content_type not in _CONTENT_TYPES:
        raise Refused("content-type")
    try:
        _decode_body(content_type, body, request)
    except (ValueError, json_format.ParseError) as error:
        raise Refused("body") from error
    if not _is_in_bounds(request):
        raise Refused("field")
    return request


def _decode_body(content_type: str, body: bytes, message: Message) -> None:
    if content_type == "application/json":
        json_format.ParseDict(_parse_json(body), message)
    elif content_type == "application/proto":
        decode_strict(body, message)
    elif len(body) >= 5 and body[0] == 0 and int.from_bytes(body[1:5], "big") == len(body) - 5:
        decode_strict(body[5:], message)
    else:
        raise ValueError("not one frame")


def _parse_json(body: bytes) -> dict[str, object]:
    """json_format takes one field under both of its names, and an array for an empty message: refused here."""
    value = json.loads(body.decode("utf-8"), object_pairs_hook=_distinct)
    if not isinstance(value, dict):
        raise ValueError("not an object")
    return value


def _distinct(pairs: list[tuple[str, object]]) -> dict[str, object]:
    fields = {re.sub("_([a-z])", lambda match: match[1].upper(), name) for name, _ in pairs}
    if len(fields) != len(pairs):
        raise ValueError("a field twice")
    return dict(pairs)


def _is_in_bounds(request: gateway.ReadSecretsRequest) -> bool:
    ids = list(request.secret_ids)
    suite = evidence.SEALING_SUITE_HPKE_X25519_SHA256_AES256GCM
    recipient = request.recipient
    return (
        [bool(ids), bool(request.project_id), request.all_granted].count(True) == 1
        and len(ids) <= 100
        and len(set(ids)) == len(ids)
        and all(re.fullmatch(f"sec_{RANDOM}", secret_id) for secret_id in ids)
        and re.fullmatch(f"(prj_{RANDOM})?", request.project_id) is not None
        and re.fullmatch(f"(sec_{RANDOM})?", request.page_token) is not None
        and (request.version == 0 or len(ids) == 1)
        and (request.page_token == "" or not ids)
        and (not request.HasField("recipient") or recipient.suite == suite and hpke.is_recipient_key(recipient.public_key))
    )
