import secrets
import time

import grpc
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from sallyport.evidence.v1 import evidence_pb2 as evidence
from sallyport.gateway.v1 import read_pb2 as gateway
from sallyport.gateway.v1.read_pb2_grpc import ReadServiceStub
from sallyport.identity.v1 import enrollment_pb2 as identity
from sallyport.identity.v1.enrollment_pb2_grpc import EnrollmentServiceStub

from . import ed25519
from .connection import Endpoint, SigningChannel
from .keyset import Keyset
from .reply import Question, Secret
from .signer import Signer
from .token import Token


class Machine:
    """An enrolled machine and the keys it trusts."""

    def __init__(self, channel: SigningChannel, machine_id: str, keyset: Keyset) -> None:
        self.id = machine_id
        self.keyset = keyset
        self._channel = channel
        self._reads = ReadServiceStub(channel)

    def list_readable(self) -> list[str]:
        """The ids of every readable secret."""
        ids: list[str] = []
        page = ""
        while True:
            answer = self._reads.ListReadableSecrets(gateway.ListReadableSecretsRequest(page_token=page))
            ids += [secret.secret_id for secret in answer.secrets]
            page = answer.next_page_token
            if not page:
                return ids

    def read(self, ids: list[str]) -> list[Secret]:
        """The current values of the secrets, at most 100."""
        return self._page(ids, gateway.ReadSecretsRequest(secret_ids=ids, all_or_nothing=True))[0]

    def read_all(self) -> list[Secret]:
        """The current value of every granted secret, page by page as signed."""
        values: list[Secret] = []
        page = ""
        while True:
            request = gateway.ReadSecretsRequest(all_granted=True, all_or_nothing=True, page_token=page)
            opened, page = self._page(None, request)
            values += opened
            if not page:
                return values

    def _page(self, ids: list[str] | None, request: gateway.ReadSecretsRequest) -> tuple[list[Secret], str]:
        recipient = X25519PrivateKey.generate()
        request.recipient.suite = evidence.SEALING_SUITE_HPKE_X25519_SHA256_AES256GCM
        request.recipient.public_key = recipient.public_key().public_bytes_raw()
        reply = self._reads.ReadSecrets(request)
        return Question(self._channel.last_digest, recipient, ids).open(self.keyset, reply)


def enroll(endpoint: Endpoint, channel: grpc.Channel, token: Token, hostname: str, smallest_epoch: int) -> Machine:
    """Makes a machine with a key of its own, which trusts no keyset but that of the token's root."""
    seed = secrets.token_bytes(32)
    public_key = ed25519.public_of(seed)
    stranger = SigningChannel(channel, endpoint.authority, Signer.of_new_key(seed))
    answer = ReadServiceStub(stranger).GetKeyset(gateway.GetKeysetRequest())
    keyset = Keyset.trust(answer.keyset, token.root_fingerprint, time.time(), smallest_epoch)
    stranger.keyset = keyset
    enrolled = EnrollmentServiceStub(stranger).Enroll(
        identity.EnrollRequest(
            vault_id=token.vault_id,
            token=identity.TokenAdmission(
                token_id=token.id,
                public_key=token.public_key,
                proof=token.prove(public_key),
            ),
            machine_public_key=public_key,
            hostname=hostname,
        )
    )
    signed = SigningChannel(channel, endpoint.authority, Signer(seed, enrolled.machine_id), keyset)
    return Machine(signed, enrolled.machine_id, keyset)
