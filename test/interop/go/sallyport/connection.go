package sallyport

import (
	"context"
	"encoding/binary"
	"errors"
	"net"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/proto"
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

// connection signs every call, so that generated stubs work over it.
type connection struct {
	*grpc.ClientConn
	authority string
	signer    Signer
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
	return connection{conn, e.Authority, signer}, err
}

// digestInto receives the digest of a call's request.
type digestInto struct {
	grpc.EmptyCallOption
	digest *[32]byte
}

// Invoke serialises the message once, signs those bytes in their frame, and sends the same bytes.
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
	return c.ClientConn.Invoke(ctx, method, message, reply, append(opts, grpc.ForceCodec(serialised{}))...)
}

// NewStream is there for the interface of generated stubs: no method streams.
func (c connection) NewStream(context.Context, *grpc.StreamDesc, string, ...grpc.CallOption) (grpc.ClientStream, error) {
	return nil, errors.New("streams cannot be signed")
}

// serialised is the codec of requests that are bytes already.
type serialised struct{}

var _ encoding.Codec = serialised{}

func (serialised) Name() string { return "proto" }

func (serialised) Marshal(message any) ([]byte, error) { return message.([]byte), nil }

func (serialised) Unmarshal(data []byte, message any) error {
	return proto.Unmarshal(data, message.(proto.Message))
}

// frame is the one gRPC frame of a message (§5.3).
func frame(message []byte) []byte {
	return append(binary.BigEndian.AppendUint32([]byte{0}, uint32(len(message))), message...)
}
