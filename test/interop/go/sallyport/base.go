package sallyport

import (
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"strings"
)

// Request is what a signature covers, and the signature.
type Request struct {
	Method         string
	Authority      string
	Path           string
	ContentType    string
	ContentDigest  string
	SignatureInput string
	Signature      string
	Body           []byte
}

// Component is one line of a signature base.
type Component struct{ Name, Value string }

// Base is the text to sign (§4): a line for each component, then the parameters.
func Base(components []Component, params string) (string, error) {
	var base strings.Builder
	for _, line := range append(components, Component{"@signature-params", params}) {
		if !isPrintable(line.Value) {
			return "", errors.New("a value is not printable ASCII")
		}
		if base.Len() > 0 {
			base.WriteByte('\n')
		}
		base.WriteString(`"` + line.Name + `": ` + line.Value)
	}
	return base.String(), nil
}

// base is the text that a request's signature covers; params is the member `sp` as sent.
func (r Request) base(params string) (string, error) {
	return Base([]Component{
		{"@method", r.Method},
		{"@authority", r.Authority},
		{"@path", r.Path},
		{"content-type", r.ContentType},
		{"content-digest", r.ContentDigest},
	}, params)
}

// ContentDigest is the header's value for the content bytes as sent (§5.1).
func ContentDigest(body []byte) string {
	digest := sha256.Sum256(body)
	return "sha-256=:" + base64.StdEncoding.EncodeToString(digest[:]) + ":"
}

// RequestDigest names a request by its signature base (§6).
func RequestDigest(base string) [32]byte {
	return sha256.Sum256(Labelled("sallyport-request-v1", []byte(base)))
}

// Labelled is a label, a zero byte and the rest (§10).
func Labelled(label string, rest []byte) []byte {
	return append(append([]byte(label), 0), rest...)
}

func isPrintable(text string) bool {
	for i := range len(text) {
		if text[i] < 0x20 || text[i] > 0x7e {
			return false
		}
	}
	return true
}
