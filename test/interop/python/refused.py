"""Makes unary calls with grpcio as it comes, and prints the code and the sentence of each refusal.

    refused.py TARGET SECRET AUTHORITY METHOD...
"""

import json
import sys

import grpc


def refusal_of(channel: grpc.Channel, method: str, metadata: tuple[tuple[str, str], ...]) -> list[str]:
    same = bytes
    try:
        channel.unary_unary(method, same, same)(b"", metadata=metadata, timeout=30)
    except grpc.RpcError as error:
        return [error.code().name, error.details()]
    return ["OK", ""]


def main(target: str, secret: str, authority: str, methods: list[str]) -> None:
    metadata = (("sallyport-proxy-secret", secret),) if secret else ()
    options = (("grpc.default_authority", authority),) if authority else ()
    with grpc.insecure_channel(target, options=options) as channel:
        print(json.dumps([refusal_of(channel, method, metadata) for method in methods]))


main(sys.argv[1], sys.argv[2], sys.argv[3], sys.argv[4:])
