package sallyport

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"time"
)

// Signer signs requests in the name of one key.
type Signer struct {
	key ed25519.PrivateKey
	id  string
}

// NewSigner signs as the machine of the id; without one, as a key that is not enrolled yet.
func NewSigner(key ed25519.PrivateKey, machineID string) Signer {
	if machineID == "" {
		machineID = "key:" + base64.RawURLEncoding.EncodeToString(publicOf(key))
	}
	return Signer{key, machineID}
}

// Sign returns the request with its headers and its digest (§2–§6). It draws a nonce, so every attempt signs anew.
func (s Signer) Sign(authority, path, contentType string, body []byte) (Request, [32]byte, error) {
	authority, err := NormaliseAuthority(authority)
	if err != nil {
		return Request{}, [32]byte{}, err
	}
	nonce := make([]byte, 16)
	rand.Read(nonce)
	params := fmt.Sprintf(`%s;created=%d;nonce="%s";keyid="%s";alg="ed25519";tag="sallyport-v1"`,
		components, time.Now().Unix(), base64.RawURLEncoding.EncodeToString(nonce), s.id)
	request := Request{
		Method:         "POST",
		Authority:      authority,
		Path:           path,
		ContentType:    contentType,
		ContentDigest:  ContentDigest(body),
		SignatureInput: "sp=" + params,
		Body:           body,
	}
	base, err := request.base(params)
	if err != nil {
		return Request{}, [32]byte{}, err
	}
	signature := ed25519.Sign(s.key, []byte(base))
	request.Signature = "sp=:" + base64.StdEncoding.EncodeToString(signature) + ":"
	return request, RequestDigest(base), nil
}

func publicOf(key ed25519.PrivateKey) ed25519.PublicKey {
	return ed25519.PublicKey(key[ed25519.SeedSize:])
}
