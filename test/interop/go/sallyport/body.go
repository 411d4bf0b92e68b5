package sallyport

import (
	"bytes"
	"encoding/binary"
	"errors"
	"regexp"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	gateway "sallyport.example/interop/gen/sallyport/gateway/v1"
)

var optionalProject = regexp.MustCompile(`^(?:prj_` + random + `)?\z`)

// DecodeRead decodes the body of a read strictly (§5.2–§5.4) and checks the bounds that the contract names.
func DecodeRead(contentType string, body []byte) (*gateway.ReadSecretsRequest, error) {
	request := &gateway.ReadSecretsRequest{}
	if !isContentType(contentType) {
		return nil, Refused{"content-type"}
	}
	if err := decodeBody(contentType, body, request); err != nil {
		return nil, Refused{"body"}
	}
	if !isInBounds(request) {
		return nil, Refused{"field"}
	}
	return request, nil
}

func decodeBody(contentType string, body []byte, message proto.Message) error {
	switch contentType {
	case "application/json":
		// protojson refuses unknown fields, repeated keys, a field under both names, and invalid UTF-8.
		return protojson.Unmarshal(body, message)
	case "application/proto":
		return decodeStrict(body, message)
	}
	content, err := unframe(body)
	if err != nil {
		return err
	}
	return decodeStrict(content, message)
}

// unframe takes exactly one uncompressed frame.
func unframe(body []byte) ([]byte, error) {
	if len(body) < 5 || body[0] != 0 || uint64(binary.BigEndian.Uint32(body[1:5])) != uint64(len(body)-5) {
		return nil, errors.New("not one frame")
	}
	return bytes.Clone(body[5:]), nil
}

func isInBounds(request *gateway.ReadSecretsRequest) bool {
	targets := 0
	for _, named := range []bool{len(request.SecretIds) > 0, request.ProjectId != "", request.AllGranted} {
		if named {
			targets++
		}
	}
	seen := map[string]bool{}
	for _, id := range request.SecretIds {
		if seen[id] || !secretID.MatchString(id) {
			return false
		}
		seen[id] = true
	}
	recipient := request.Recipient
	return targets == 1 && len(seen) <= 100 &&
		optionalProject.MatchString(request.ProjectId) && optionalSecret.MatchString(request.PageToken) &&
		(request.Version == 0 || len(seen) == 1) && (request.PageToken == "" || len(seen) == 0) &&
		(recipient == nil || recipient.Suite == 1 && isRecipientKey(recipient.PublicKey))
}
