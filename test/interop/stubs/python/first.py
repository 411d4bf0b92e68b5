"""A stranger's first program: stubs of the whole public API beside the packages that most programs already have."""

import grpc
from google.rpc import error_details_pb2, status_pb2
from grpc_status import rpc_status
from sallyport.audit.v1 import audit_pb2_grpc
from sallyport.errors.v1 import reason_pb2
from sallyport.evidence.v1 import evidence_pb2
from sallyport.gateway.v1 import read_pb2, read_pb2_grpc
from sallyport.identity.v1 import enrollment_pb2_grpc
from sallyport.policy.v1 import grant_pb2_grpc
from sallyport.secrets.v1 import secret_pb2_grpc

channel = grpc.insecure_channel("localhost:1")
clients = [
    read_pb2_grpc.ReadServiceStub(channel),
    audit_pb2_grpc.AuditServiceStub(channel),
    enrollment_pb2_grpc.EnrollmentServiceStub(channel),
    grant_pb2_grpc.GrantServiceStub(channel),
    secret_pb2_grpc.SecretServiceStub(channel),
]
suite = evidence_pb2.SEALING_SUITE_HPKE_X25519_SHA256_AES256GCM
request = read_pb2.ReadSecretsRequest(all_granted=True)
request.recipient.suite = suite
request.recipient.public_key = bytes(32)
print("message:", read_pb2.ReadSecretsRequest.FromString(request.SerializeToString()) == request)
status = status_pb2.Status(code=grpc.StatusCode.UNAUTHENTICATED.value[0], message="no")
status.details.add().Pack(error_details_pb2.ErrorInfo(reason=reason_pb2.Reason.Name(reason_pb2.REASON_CLOCK_SKEW)))
print("details:", rpc_status.to_status(status).code, len(clients))
