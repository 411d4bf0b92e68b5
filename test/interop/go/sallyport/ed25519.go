package sallyport

import (
	"crypto/ed25519"
	"encoding/hex"
	"slices"
)

// The y coordinates of the points of order 1, 2, 4 and 8.
var smallOrder = []string{
	"0100000000000000000000000000000000000000000000000000000000000000",
	"ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
	"0000000000000000000000000000000000000000000000000000000000000000",
	"c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
	"26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
}

// Verify is Ed25519 with the verdicts of §7. The library solves the equation without the cofactor and refuses S ≥ L,
// but takes points of small order and other encodings of a key.
func Verify(publicKey, message, signature []byte) bool {
	if len(publicKey) != ed25519.PublicKeySize || len(signature) != ed25519.SignatureSize {
		return false
	}
	return isStrictPoint(publicKey) && isStrictPoint(signature[:32]) && ed25519.Verify(publicKey, message, signature)
}

// isStrictPoint refuses y ≥ p and small order; x = 0 belongs to small order, so its sign bit needs no rule.
func isStrictPoint(encoded []byte) bool {
	y := slices.Clone(encoded)
	y[31] &= 0x7f
	return isBelowP(y) && !slices.Contains(smallOrder, hex.EncodeToString(y))
}

// isBelowP compares with p = 2^255 - 19, little-endian: ed ff … ff 7f.
func isBelowP(y []byte) bool {
	middle := slices.ContainsFunc(y[1:31], func(b byte) bool { return b != 0xff })
	return middle || y[31] != 0x7f || y[0] < 0xed
}
