"""Lets buf generate with the protoc inside grpcio-tools, which offers its generators in no other way.

Called by buf as a plugin, with the generator's name as the only argument: python, pyi or grpc_python.
"""

import sys
import tempfile
from pathlib import Path

from google.protobuf.compiler.plugin_pb2 import CodeGeneratorRequest, CodeGeneratorResponse
from google.protobuf.descriptor_pb2 import FileDescriptorSet
from grpc_tools import protoc


def generate(request: CodeGeneratorRequest, generator: str) -> CodeGeneratorResponse:
    """Runs the generator over the files that are asked for; an error of it is the answer's."""
    response = CodeGeneratorResponse(supported_features=CodeGeneratorResponse.FEATURE_PROTO3_OPTIONAL)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (out := folder / "out").mkdir()
        (descriptors := folder / "set.binpb").write_bytes(
            FileDescriptorSet(file=request.proto_file).SerializeToString()
        )
        arguments = ["protoc", f"--descriptor_set_in={descriptors}", f"--{generator}_out={out}"]
        if protoc.main([*arguments, *request.file_to_generate]) != 0:
            response.error = f"the generator {generator} failed, see above"
        for file in sorted(path for path in out.rglob("*") if path.is_file()):
            response.file.add(name=file.relative_to(out).as_posix(), content=file.read_text("utf-8"))
    return response


if __name__ == "__main__":
    asked = CodeGeneratorRequest.FromString(sys.stdin.buffer.read())
    sys.stdout.buffer.write(generate(asked, sys.argv[1]).SerializeToString())
