"""Speaks to a deployment as a stranger would, from the documents alone.

    interop.py vectors DIR   prints a verdict for each vector in DIR
    interop.py read          enrolls, lists, reads what was listed, and prints names and SHA-256 of the values
    interop.py read-all      enrolls and reads everything granted

Environment: SALLYPORT_URL, SALLYPORT_CA, SALLYPORT_ENROLLMENT_TOKEN; SALLYPORT_CONNECT, an address to dial instead of
the URL's; SALLYPORT_EPOCH, the epoch of the last keyset seen. Exit codes: 1 unexpected, 2 usage, 3 refused, 4 an answer
that cannot be trusted; standard error says which refusal or step.
"""

import hashlib
import json
import os
import sys
from pathlib import Path
from urllib.parse import urlsplit

import grpc

from client.connection import Endpoint, details_of
from client.failures import Untrusted
from client.machine import enroll
from client.token import Token
from vectors import judge_vectors


def read(mode: str) -> dict[str, object]:
    endpoint = Endpoint(
        authority=urlsplit(os.environ["SALLYPORT_URL"]).netloc,
        ca_file=os.environ["SALLYPORT_CA"],
        connect=os.environ.get("SALLYPORT_CONNECT", ""),
    )
    token = Token.parse(os.environ["SALLYPORT_ENROLLMENT_TOKEN"])
    with endpoint.open() as channel:
        machine = enroll(endpoint, channel, token, "python", int(os.environ.get("SALLYPORT_EPOCH", "0")))
        secrets = machine.read_all() if mode == "read-all" else machine.read(machine.list_readable())
    digests = {secret.name: hashlib.sha256(secret.value).hexdigest() for secret in secrets}
    return {"machine": machine.id, "epoch": machine.keyset.epoch, "sha256": digests}


def main(args: list[str]) -> int:
    try:
        match args:
            case ["vectors", folder]:
                print(json.dumps(judge_vectors(Path(folder))))
            case ["read" | "read-all" as mode]:
                print(json.dumps(read(mode)))
            case _:
                print("usage: interop.py vectors DIR | read | read-all", file=sys.stderr)
                return 2
    except Untrusted as untrusted:
        print("untrusted", untrusted.step, file=sys.stderr)
        return 4
    except grpc.RpcError as error:
        reason, _, _ = details_of(error)
        if not reason:
            raise
        print("refused", reason, file=sys.stderr)
        return 3
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
