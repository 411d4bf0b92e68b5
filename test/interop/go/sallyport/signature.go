package sallyport

import (
	"encoding/base64"
	"errors"
	"regexp"
	"strconv"
	"strings"
)

const components = `("@method" "@authority" "@path" "content-type" "content-digest")`

const lastCreated = 253402300799

// random is what follows an id's prefix (§1).
const random = `[0-9a-hjkmnp-tv-z]{20}`

var (
	decimal = regexp.MustCompile(`^(?:0|[1-9][0-9]{0,14})\z`)
	keyID   = regexp.MustCompile(`^(?:mch_` + random + `|usr_` + random + `\.` + random + `|key:[A-Za-z0-9_-]{43})\z`)
)

// Params are the parameters of a signature (§3); Text is the member `sp` as received, which the signature covers.
type Params struct {
	Created int64
	Nonce   []byte
	KeyID   string
	Text    string
}

// ParseSignatureInput reads the header strictly. A text with a separator inside a string is refused by the grammar of
// that string, so splitting finds every parameter.
func ParseSignatureInput(header string) (Params, error) {
	text, labelled := strings.CutPrefix(header, "sp=")
	list, rest, _ := strings.Cut(text, ";")
	if !labelled || list != components {
		return Params{}, errors.New("not the member sp with the five components")
	}
	values := map[string]string{}
	for _, param := range strings.Split(rest, ";") {
		name, value, _ := strings.Cut(param, "=")
		if _, twice := values[name]; twice {
			return Params{}, errors.New("a parameter twice")
		}
		values[name] = value
	}
	if len(values) != 5 || values["alg"] != `"ed25519"` || values["tag"] != `"sallyport-v1"` {
		return Params{}, errors.New("not the five parameters of the profile")
	}
	return readValues(values, text)
}

func readValues(values map[string]string, text string) (Params, error) {
	created, err := strconv.ParseInt(values["created"], 10, 64)
	if err != nil || !decimal.MatchString(values["created"]) || created > lastCreated {
		return Params{}, errors.New("created is not a time")
	}
	nonce, err := decodeURL(unquote(values["nonce"]))
	if err != nil || len(nonce) < 16 || len(nonce) > 64 {
		return Params{}, errors.New("the nonce is not of 16 to 64 bytes")
	}
	id := unquote(values["keyid"])
	if !keyID.MatchString(id) {
		return Params{}, errors.New("not a keyid")
	}
	if key, isNew := strings.CutPrefix(id, "key:"); isNew {
		if _, err := decodeURL(key); err != nil {
			return Params{}, err
		}
	}
	return Params{Created: created, Nonce: nonce, KeyID: id, Text: text}, nil
}

// ParseSignature reads the 64 bytes of the header.
func ParseSignature(header string) ([]byte, error) {
	text, opened := strings.CutPrefix(header, "sp=:")
	text, closed := strings.CutSuffix(text, ":")
	bytes, err := base64.StdEncoding.Strict().DecodeString(text)
	if !opened || !closed || err != nil || len(bytes) != 64 || base64.StdEncoding.EncodeToString(bytes) != text {
		return nil, errors.New("not a signature")
	}
	return bytes, nil
}

// unquote takes the quotes off a string; escapes stay, and no grammar here has a backslash.
func unquote(text string) string {
	if len(text) < 2 || text[0] != '"' || text[len(text)-1] != '"' {
		return ""
	}
	return text[1 : len(text)-1]
}

// decodeURL decodes canonical base64url without padding. The library skips line breaks, so the text is compared again.
func decodeURL(text string) ([]byte, error) {
	bytes, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil || base64.RawURLEncoding.EncodeToString(bytes) != text {
		return nil, errors.New("not canonical base64url")
	}
	return bytes, nil
}
