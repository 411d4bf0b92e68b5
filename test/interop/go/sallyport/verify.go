package sallyport

import (
	"encoding/base64"
	"regexp"
	"strings"
)

// Refused says at which step a request was refused.
type Refused struct{ Step string }

func (r Refused) Error() string { return "refused: " + r.Step }

var path = regexp.MustCompile(`^/[A-Za-z0-9_]+(?:\.[A-Za-z0-9_]+)*/[A-Za-z0-9_]+\z`)

// Expected is what a verifier knows about who asks, and about itself.
type Expected struct {
	PublicKey     []byte
	KeyID         string
	Authorities   []string
	Now           int64
	WindowSeconds int64
}

// VerifyRequest checks a signed request step by step (§4.1) and returns its digest.
func VerifyRequest(request Request, expected Expected) ([32]byte, error) {
	params, signature, err := readForm(request)
	if err != nil {
		return [32]byte{}, err
	}
	base, err := request.base(params.Text)
	if err != nil {
		return [32]byte{}, Refused{"signature"}
	}
	if !isBound(params.KeyID, expected) {
		return [32]byte{}, Refused{"binding"}
	}
	if !Verify(expected.PublicKey, []byte(base), signature) {
		return [32]byte{}, Refused{"signature"}
	}
	if step := failedStep(request, params, expected); step != "" {
		return [32]byte{}, Refused{step}
	}
	return RequestDigest(base), nil
}

func readForm(request Request) (Params, []byte, error) {
	if !isContentType(request.ContentType) {
		return Params{}, nil, Refused{"content-type"}
	}
	if !isContentDigest(request.ContentDigest) {
		return Params{}, nil, Refused{"content-digest"}
	}
	params, err := ParseSignatureInput(request.SignatureInput)
	if err != nil {
		return Params{}, nil, Refused{"signature"}
	}
	signature, err := ParseSignature(request.Signature)
	if err != nil {
		return Params{}, nil, Refused{"signature"}
	}
	return params, signature, nil
}

func isBound(keyID string, expected Expected) bool {
	newKey, isNew := strings.CutPrefix(keyID, "key:")
	return keyID == expected.KeyID && (!isNew || newKey == base64.RawURLEncoding.EncodeToString(expected.PublicKey))
}

func failedStep(request Request, params Params, expected Expected) string {
	skew := max(expected.Now-params.Created, params.Created-expected.Now)
	switch {
	case request.Method != "POST":
		return "method"
	case !isAuthorityOf(expected.Authorities, request.Authority):
		return "authority"
	case !path.MatchString(request.Path):
		return "path"
	case skew > expected.WindowSeconds:
		return "created"
	case request.ContentDigest != ContentDigest(request.Body):
		return "content-digest"
	}
	return ""
}

// isAuthorityOf takes normal forms only; the deployment's own names may be written otherwise.
func isAuthorityOf(names []string, authority string) bool {
	for _, name := range names {
		if normal, err := NormaliseAuthority(name); err == nil && normal == authority {
			return true
		}
	}
	return false
}

// isContentDigest takes one canonical SHA-256 without parameters.
func isContentDigest(text string) bool {
	encoded, opened := strings.CutPrefix(text, "sha-256=:")
	encoded, closed := strings.CutSuffix(encoded, ":")
	digest, err := base64.StdEncoding.Strict().DecodeString(encoded)
	return opened && closed && err == nil && len(digest) == 32 && base64.StdEncoding.EncodeToString(digest) == encoded
}

func isContentType(text string) bool {
	switch text {
	case "application/json", "application/proto", "application/grpc", "application/grpc+proto":
		return true
	}
	return false
}
