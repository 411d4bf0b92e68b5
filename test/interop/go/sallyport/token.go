package sallyport

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"hash/crc32"
	"regexp"
	"strings"
)

var tokenForm = regexp.MustCompile(`^sp_(enr|login)_(tok_` + random + `)\.(vlt_` + random + `)` +
	`\.([A-Za-z0-9_-]{43})\.([A-Za-z0-9_-]{43})\.([0-9a-f]{8})\z`)

// Token is the text that admits a machine or a user's device (§8.1).
type Token struct {
	Kind            string
	ID              string
	VaultID         string
	RootFingerprint string
	Key             ed25519.PrivateKey
}

// ParseToken reads a token's text.
func ParseToken(text string) (Token, error) {
	parts := tokenForm.FindStringSubmatch(text)
	if parts == nil {
		return Token{}, errors.New("not a token")
	}
	dot := strings.LastIndexByte(text, '.')
	if fmt.Sprintf("%08x", crc32.ChecksumIEEE([]byte(text[:dot]))) != parts[6] {
		return Token{}, errors.New("the token's checksum is wrong")
	}
	if _, err := decodeURL(parts[4]); err != nil {
		return Token{}, err
	}
	seed, err := decodeURL(parts[5])
	if err != nil {
		return Token{}, err
	}
	return Token{parts[1], parts[2], parts[3], parts[4], ed25519.NewKeyFromSeed(seed)}, nil
}

// PublicKey is the public half of the token's key.
func (t Token) PublicKey() []byte { return publicOf(t.Key) }

// Prove signs that the token's key admits the new key to the vault (§8.2). The token itself never travels.
func (t Token) Prove(newKey []byte) []byte {
	return ed25519.Sign(t.Key, t.Statement(newKey))
}

// Statement is what the token's key signs.
func (t Token) Statement(newKey []byte) []byte {
	label := map[string]string{"enr": "sallyport-enroll-v1", "login": "sallyport-login-v1"}[t.Kind]
	return Labelled(label, append(append([]byte(t.VaultID), t.PublicKey()...), newKey...))
}

// RenewalStatement is what a new device key signs to take the place of an old one (§8.2).
func RenewalStatement(vaultID string, oldKey, newKey []byte) []byte {
	return Labelled("sallyport-renew-v1", append(append([]byte(vaultID), oldKey...), newKey...))
}

// Fingerprint is how a root's public key is pinned.
func Fingerprint(rootPublicKey []byte) string {
	digest := sha256.Sum256(Labelled("sallyport-root-v1", rootPublicKey))
	return base64.RawURLEncoding.EncodeToString(digest[:])
}
