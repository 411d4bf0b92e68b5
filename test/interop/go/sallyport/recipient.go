package sallyport

import (
	"crypto/ecdh"
	"crypto/hpke"
	"encoding/binary"
	"encoding/hex"
	"slices"
	"strconv"

	evidence "sallyport.example/interop/gen/sallyport/evidence/v1"
	gateway "sallyport.example/interop/gen/sallyport/gateway/v1"
)

// recipientOf names the ephemeral key to which one reply is to be sealed.
func recipientOf(key *ecdh.PrivateKey) *gateway.Recipient {
	return &gateway.Recipient{
		Suite:     evidence.SealingSuite_SEALING_SUITE_HPKE_X25519_SHA256_AES256GCM,
		PublicKey: key.PublicKey().Bytes(),
	}
}

// The u coordinates to which nothing can be sealed: they are of small order.
var smallOrderRecipients = []string{
	"0000000000000000000000000000000000000000000000000000000000000000",
	"0100000000000000000000000000000000000000000000000000000000000000",
	"e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
	"5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
	"ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
}

// isRecipientKey takes a key in its one encoding, and none of small order (§5.5).
func isRecipientKey(key []byte) bool {
	return len(key) == 32 && key[31] < 0x80 && isBelowP(key) &&
		!slices.Contains(smallOrderRecipients, hex.EncodeToString(key))
}

// receive opens the HPKE context of one reply (§9.1).
func receive(key *ecdh.PrivateKey, encapsulated []byte, digest [32]byte) (*hpke.Recipient, error) {
	private, err := hpke.NewDHKEMPrivateKey(key)
	if err != nil {
		return nil, err
	}
	return hpke.NewRecipient(encapsulated, private, hpke.HKDFSHA256(), hpke.AES256GCM(), ReadInfo(digest))
}

// ReadInfo is the HPKE info of a sealed reply.
func ReadInfo(digest [32]byte) []byte {
	return Labelled("sallyport-read-v1", digest[:])
}

// ReadAAD is the associated data of one sealed value.
func ReadAAD(secretID string, version uint32) []byte {
	return append(lp(secretID), lp(decimalOf(version))...)
}

// Write names what a sealed write is for (§9.2).
type Write struct {
	VaultID, ProjectID, SecretID string
	ExpectedVersion              uint32
	PrincipalID                  string
	Kind                         uint32
	ProjectName, SecretName      string
}

// Info is the HPKE info of the write.
func (w Write) Info() []byte {
	parts := []string{
		w.VaultID, w.ProjectID, w.SecretID, decimalOf(w.ExpectedVersion),
		w.PrincipalID, decimalOf(w.Kind), w.ProjectName, w.SecretName,
	}
	var joined []byte
	for _, part := range parts {
		joined = append(joined, lp(part)...)
	}
	return Labelled("sallyport-write-v1", joined)
}

// lp is the length in four bytes, big-endian, and the text (§9).
func lp(text string) []byte {
	return append(binary.BigEndian.AppendUint32(nil, uint32(len(text))), text...)
}

func decimalOf(number uint32) string { return strconv.FormatUint(uint64(number), 10) }
