"""Verdicts on the vectors of proto/SIGNING.md. Inputs only are read, never what is expected of them."""

import hashlib
import hmac
import json
from base64 import b64decode
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from sallyport.evidence.v1 import evidence_pb2 as evidence
from sallyport.gateway.v1 import read_pb2 as gateway

from client import ed25519
from client.answer import Asked, owner_of
from client.authority import normalise
from client.base import Request, signature_base
from client.failures import Refused, Untrusted
from client.keyset import Keyset
from client.reply import Question
from client.sealing import Write, read_aad, read_info
from client.signature import parse_signature, parse_signature_input
from client.text import b64, labelled
from client.token import Token, fingerprint, renewal_statement
from client.verify import Expected, decode_read, verify_request

Vector = dict[str, Any]
Judge = Callable[[Vector], str]


def judge_vectors(folder: Path) -> dict[str, str]:
    """A verdict by file/list/index: what the vector came to, or "refused" and the step."""
    return {
        f"{path.stem}/{name}": verdict
        for path in sorted(folder.glob("*.json"))
        for name, verdict in _JUDGES[path.stem](json.loads(path.read_text()))
    }


def _each(name: str, vectors: list[Vector], judge: Judge) -> list[tuple[str, str]]:
    return [(f"{name}/{index}", _verdict(judge, vector)) for index, vector in enumerate(vectors)]


def _verdict(judge: Judge, vector: Vector) -> str:
    try:
        return judge(vector)
    except (Refused, Untrusted) as refused:
        return f"refused: {refused.step}"
    except ValueError:
        return "refused"


def _answers(file: Vector) -> list[tuple[str, str]]:
    keyset = _trust(file, file["keyset"])
    digest = bytes.fromhex(file["requestDigest"])

    def owner(vector: Vector) -> str:
        try:
            return owner_of(vector["path"])
        except ValueError:
            return "none"

    def content(vector: Vector) -> str:
        Asked(owner_of(vector["path"]), digest).content(keyset, vector["header"], b64decode(vector["content"]))
        return "valid"

    def refusal(vector: Vector) -> str:
        answer = b64decode(vector["answer"])
        signed = evidence.SignedAnswer.FromString(answer) if answer else None
        asked = Asked(owner_of(vector["path"]), digest)
        vouched = asked.refusal(keyset, signed, vector["reason"], vector["metadata"])
        return "vouched" if vouched else "the gateway's"

    return [
        *_each("methods", file["methods"], owner),
        *_each("contentsValid", file["contentsValid"], content),
        *_each("contentsInvalid", file["contentsInvalid"], content),
        *_each("refusalsValid", file["refusalsValid"], refusal),
        *_each("refusalsInvalid", file["refusalsInvalid"], refusal),
    ]


def _authority(file: Vector) -> list[tuple[str, str]]:
    return _each("cases", file["cases"], lambda vector: normalise(vector["input"]))


def _bodies(file: Vector) -> list[tuple[str, str]]:
    def judge(vector: Vector) -> str:
        return " ".join(decode_read(vector["contentType"], b64decode(vector["body"])).secret_ids)

    return _each("valid", file["valid"], judge) + _each("invalid", file["invalid"], judge)


def _ed25519(file: Vector) -> list[tuple[str, str]]:
    def judge(vector: Vector) -> str:
        parts = [bytes.fromhex(vector[name]) for name in ("publicKey", "message", "signature")]
        return "valid" if ed25519.verify(*parts) else "refused"

    return _each("cases", file["cases"], judge)


def _headers(file: Vector) -> list[tuple[str, str]]:
    readers: dict[str, Callable[[str], object]] = {
        "signatureInput": parse_signature_input,
        "signature": parse_signature,
    }
    return [
        verdict
        for name, read in readers.items()
        for verdict in _each(name, file[name], lambda vector, read=read: f"valid: {read(vector['header'])}")
    ]


def _labels(file: Vector) -> list[tuple[str, str]]:
    payload, seed, mac_key = bytes.fromhex(file["payload"]), b64decode(file["seed"]), b64decode(file["macKey"])

    def signed(vector: Vector) -> str:
        preimage = labelled(vector["label"], payload)
        return f"{preimage.hex()} {b64(ed25519.sign(seed, preimage))}"

    def authenticated(vector: Vector) -> str:
        preimage = labelled(vector["label"], payload)
        return f"{preimage.hex()} {b64(hmac.digest(mac_key, preimage, 'sha256'))}"

    return _each("signed", file["signed"], signed) + _each("authenticated", file["authenticated"], authenticated)


def _trust(file: Vector, vector: Vector) -> Keyset:
    parts = {name: b64decode(vector[key]) for name, key in _KEYSET_FIELDS.items()}
    if "signer" in vector:
        signer = {key: b64decode(value) for key, value in vector["signer"].items()}
        parts["signer"] = evidence.KeysetSigner(**signer)
    return Keyset.trust(evidence.Keyset(**parts), file["rootFingerprint"], file["nowSeconds"], file["smallestEpoch"])


def _replies(file: Vector) -> list[tuple[str, str]]:
    def judge(vector: Vector) -> str:
        _trust(file, vector)
        return "valid"

    keyset = _trust(file, file["keyset"])
    digest = bytes.fromhex(file["requestDigest"])
    recipient = X25519PrivateKey.from_private_bytes(b64decode(file["recipientPrivateKey"]))

    def opened(vector: Vector) -> str:
        reply = gateway.ReadSecretsResponse.FromString(b64decode(vector["response"]))
        secrets, page = Question(digest, recipient, vector["secretIds"] or None, vector["version"]).open(keyset, reply)
        return "\n".join([*(f"{s.id} {s.name} {s.version} {b64(s.value)}" for s in secrets), page])

    return [
        *_each("keysetsValid", file["keysetsValid"], judge),
        *_each("keysetsInvalid", file["keysetsInvalid"], judge),
        *_each("repliesValid", file["repliesValid"], opened),
        *_each("repliesInvalid", file["repliesInvalid"], opened),
    ]


def _requests(file: Vector) -> list[tuple[str, str]]:
    def judge(vector: Vector) -> str:
        request = vector["request"]
        return verify_request(
            Request(
                method=request["method"],
                authority=request["authority"],
                path=request["path"],
                content_type=request["contentType"],
                content_digest=request["contentDigest"],
                body=b64decode(request["body"]),
                signature_input=request["signatureInput"],
                signature=request["signature"],
            ),
            Expected(
                public_key=b64decode(vector["publicKey"]),
                key_id=vector["keyId"],
                authorities=file["authorities"],
                now=vector.get("nowSeconds", file.get("nowSeconds")),
                window=file["windowSeconds"],
            ),
        ).hex()

    return _each("requests", file["requests"], judge)


def _rfc9421(file: Vector) -> list[tuple[str, str]]:
    def judge(vector: Vector) -> str:
        base = signature_base(vector["components"], vector["params"])
        key, signature = b64decode(vector["key"]), b64decode(vector["signature"])
        if vector["algorithm"] == "ed25519":
            holds = ed25519.verify(key, base.encode(), signature)
        else:
            holds = hmac.compare_digest(hmac.digest(key, base.encode(), "sha256"), signature)
        return base if holds else "refused"

    return _each("cases", file["cases"], judge)


def _sealing(file: Vector) -> list[tuple[str, str]]:
    def write(vector: Vector) -> str:
        return (
            Write(
                vault_id=vector["vaultId"],
                project_id=vector["projectId"],
                secret_id=vector["secretId"],
                expected_version=vector["expectedVersion"],
                principal_id=vector["principalId"],
                kind=vector["kind"],
                project_name=vector["projectName"],
                secret_name=vector["secretName"],
            )
            .info()
            .hex()
        )

    info = read_info(bytes.fromhex(file["readInfo"]["requestDigest"])).hex()
    aad = _each("readAad", file["readAad"], lambda vector: read_aad(vector["secretId"], vector["version"]).hex())
    return [("readInfo", info), *aad, *_each("writeInfo", file["writeInfo"], write)]


def _tokens(file: Vector) -> list[tuple[str, str]]:
    def judge(vector: Vector) -> str:
        token = Token.parse(vector["text"])
        key_sha256 = hashlib.sha256(token.public_key).hexdigest()
        return f"{token.kind} {token.id} {token.vault_id} {token.root_fingerprint} {b64(token.seed)} {key_sha256}"

    def prove(kind: str, vector: Vector) -> str:
        token = Token(kind, "", vector["vaultId"], "", b64decode(vector["seed"]))
        new_key = b64decode(vector["admittedPublicKey"])
        return f"{token.statement(new_key).hex()} {b64(token.prove(new_key))}"

    renewal = file["renewalStatement"]
    old_key, new_key = b64decode(renewal["oldPublicKey"]), b64decode(renewal["newPublicKey"])
    statement = renewal_statement(renewal["vaultId"], old_key, new_key)

    def renews(vector: Vector) -> str:
        if not ed25519.verify(new_key, statement, b64decode(vector["signature"])):
            raise ValueError("the proof does not hold")
        return "valid"

    return [
        ("rootFingerprint", fingerprint(b64decode(file["rootPublicKey"]))),
        *_each("valid", file["valid"], judge),
        *_each("invalid", file["invalid"], judge),
        ("enrollmentStatement", prove("enr", file["enrollmentStatement"])),
        ("loginStatement", prove("login", file["loginStatement"])),
        ("renewalStatement", f"{statement.hex()} {b64(ed25519.sign(b64decode(renewal['seed']), statement))}"),
        *_each("invalidRenewalProofs", file["invalidRenewalProofs"], renews),
    ]


_KEYSET_FIELDS = {"payload": "payload", "root_public_key": "rootPublicKey", "signature": "signature"}

_JUDGES: dict[str, Callable[[Vector], list[tuple[str, str]]]] = {
    "answers": _answers,
    "authority": _authority,
    "bodies": _bodies,
    "ed25519": _ed25519,
    "headers-invalid": _headers,
    "labels": _labels,
    "replies": _replies,
    "requests-invalid": _requests,
    "requests-valid": _requests,
    "rfc9421": _rfc9421,
    "sealing": _sealing,
    "tokens": _tokens,
}
