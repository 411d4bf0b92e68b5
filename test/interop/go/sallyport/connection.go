package sallyport

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"net"
	"strings"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	evidence "sallyport.example/interop/gen/sallyport/evidence/v1"
)

// The content type that grpc-go sends with a codec named proto.
const contentType = "application/grpc+proto"

// Endpoint is where the deployment is reached: Authority as its public name says, CAFile for its certificate. Connect,
// unless empty, is dialled in its place, as curl's --connect-to does.
type Endpoint struct {
	Authority string
	CAFile    string
	Connect   string
}

// connection signs every call and verifies every answer, so that generated stubs work over it.
type connection struct {
	*grpc.ClientConn
	authority string
	signer    Signer
	keyset    *Keyset
}

func (e Endpoint) open(signer Signer) (connection, error) {
	tls, err := credentials.NewClientTLSFromFile(e.CAFile, "")
	if err != nil {
		return connection{}, err
	}
	dial := func(ctx context.Context, address string) (net.Conn, error) {
		if e.Connect != "" {
			address = e.Connect
		}
		return (&net.Dialer{}).DialContext(ctx, "tcp", address)
	}
	conn, err := grpc.NewClient("passthrough:///"+e.Authority,
		grpc.WithTransportCredentials(tls), grpc.WithContextDialer(dial), grpc.WithDisableRetry())
	return connection{conn, e.Authority, signer, &Keyset{}}, err
}

// digestInto receives the digest of a call's request.
type digestInto struct {
	grpc.EmptyCallOption
	digest *[32]byte
}

// Invoke serialises the message once, signs those bytes in their frame, sends the same bytes, and verifies the answer
// over the bytes that came.
func (c connection) Invoke(ctx context.Context, method string, args, reply any, opts ...grpc.CallOption) error {
	message, err := proto.Marshal(args.(proto.Message))
	if err != nil {
		return err
	}
	request, digest, err := c.signer.Sign(c.authority, method, contentType, frame(message))
	if err != nil {
		return err
	}
	for _, opt := range opts {
		if into, asked := opt.(digestInto); asked {
			*into.digest = digest
		}
	}
	ctx = metadata.AppendToOutgoingContext(ctx, "content-digest", request.ContentDigest,
		"signature-input", request.SignatureInput, "signature", request.Signature)
	var content []byte
	head := metadata.MD{}
	opts = append(opts, grpc.ForceCodec(serialised{}), grpc.Header(&head))
	err = c.ClientConn.Invoke(ctx, method, message, &content, opts...)
	if err := c.verify(method, digest, strings.Join(head.Get(answerHeader), ","), content, err); err != nil {
		return err
	}
	return proto.Unmarshal(content, reply.(proto.Message))
}

// verify returns the refusal if there is one, after it was verified like an answer (§11).
func (c connection) verify(method string, digest [32]byte, header string, content []byte, refused error) error {
	asked := Asked{OwnerOf(method), digest}
	if asked.Owner == "" {
		return Untrusted{"answer-missing"}
	}
	if asked.Owner == itself {
		return refused
	}
	if refused == nil {
		return asked.Content(*c.keyset, header, content)
	}
	reason, meta, signed := detailsOf(refused)
	if reason == "" {
		return refused
	}
	if _, err := asked.Refusal(*c.keyset, signed, reason, meta); err != nil {
		return err
	}
	return refused
}

// detailsOf finds what the deployment says of a refusal; no reason when nothing does.
func detailsOf(refused error) (reason string, meta map[string]string, signed *evidence.SignedAnswer) {
	for _, detail := range status.Convert(refused).Details() {
		switch detail := detail.(type) {
		case *errdetails.ErrorInfo:
			if detail.Domain == "sallyport" {
				reason, meta = detail.Reason, detail.Metadata
			}
		case *evidence.SignedAnswer:
			signed = detail
		}
	}
	return reason, meta, signed
}

// NewStream is there for the interface of generated stubs: no method streams.
func (c connection) NewStream(context.Context, *grpc.StreamDesc, string, ...grpc.CallOption) (grpc.ClientStream, error) {
	return nil, errors.New("streams cannot be signed")
}

// serialised is the codec of messages that are bytes already.
type serialised struct{}

var _ encoding.Codec = serialised{}

func (serialised) Name() string { return "proto" }

func (serialised) Marshal(message any) ([]byte, error) { return message.([]byte), nil }

func (serialised) Unmarshal(data []byte, message any) error {
	*message.(*[]byte) = bytes.Clone(data)
	return nil
}

// frame is the one gRPC frame of a message (§5.3).
func frame(message []byte) []byte {
	return append(binary.BigEndian.AppendUint32([]byte{0}, uint32(len(message))), message...)
}
