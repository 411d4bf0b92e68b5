// A stranger's first program: stubs of the whole public API beside the packages that most programs already have.
package main

import (
	"fmt"
	"log"

	"buf.build/go/protovalidate"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"

	auditv1 "sallyport.example/you/gen/sallyport/audit/v1"
	errorsv1 "sallyport.example/you/gen/sallyport/errors/v1"
	evidencev1 "sallyport.example/you/gen/sallyport/evidence/v1"
	gatewayv1 "sallyport.example/you/gen/sallyport/gateway/v1"
	identityv1 "sallyport.example/you/gen/sallyport/identity/v1"
	policyv1 "sallyport.example/you/gen/sallyport/policy/v1"
	secretsv1 "sallyport.example/you/gen/sallyport/secrets/v1"
)

func main() {
	connection, err := grpc.NewClient("localhost:1", grpc.WithTransportCredentials(insecure.NewCredentials()))
	check(err)
	_ = []any{
		gatewayv1.NewReadServiceClient(connection),
		auditv1.NewAuditServiceClient(connection),
		identityv1.NewEnrollmentServiceClient(connection),
		policyv1.NewGrantServiceClient(connection),
		secretsv1.NewSecretServiceClient(connection),
		grpc_health_v1.NewHealthClient(connection),
	}
	request := &gatewayv1.ReadSecretsRequest{
		AllGranted: true,
		Recipient: &gatewayv1.Recipient{
			Suite:     evidencev1.SealingSuite_SEALING_SUITE_HPKE_X25519_SHA256_AES256GCM,
			PublicKey: make([]byte, 32),
		},
	}
	check(protovalidate.Validate(request))
	text, err := protojson.Marshal(request)
	check(err)
	fmt.Println("valid:", len(text) > 0)
	request.SecretIds = []string{"sec_0123456789abcdefghjk"}
	fmt.Println("refused:", protovalidate.Validate(request))
	details, err := status.New(codes.Unauthenticated, "no").WithDetails(&errdetails.ErrorInfo{
		Reason: errorsv1.Reason_REASON_CLOCK_SKEW.String(),
	})
	check(err)
	fmt.Println("details:", details.Details())
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
