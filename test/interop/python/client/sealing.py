"""What sealed values are bound to (§9)."""

from dataclasses import dataclass

from .text import labelled


def read_info(request_digest: bytes) -> bytes:
    return labelled("sallyport-read-v1", request_digest)


def read_aad(secret_id: str, version: int) -> bytes:
    return _lp(secret_id) + _lp(str(version))


@dataclass(frozen=True)
class Write:
    """What a sealed write is for."""

    vault_id: str
    project_id: str
    secret_id: str
    expected_version: int
    principal_id: str
    kind: int
    project_name: str
    secret_name: str

    def info(self) -> bytes:
        parts = (
            self.vault_id,
            self.project_id,
            self.secret_id,
            str(self.expected_version),
            self.principal_id,
            str(self.kind),
            self.project_name,
            self.secret_name,
        )
        return labelled("sallyport-write-v1", b"".join(map(_lp, parts)))


def _lp(text: str) -> bytes:
    data = text.encode()
    return len(data).to_bytes(4, "big") + data
