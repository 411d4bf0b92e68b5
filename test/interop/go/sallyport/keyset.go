package sallyport

import (
	"regexp"
	"slices"
	"time"

	evidence "sallyport.example/interop/gen/sallyport/evidence/v1"
)

// owners sign their answers, each with a key of its own (§11).
var owners = []string{"identity", "policy", "secrets", "audit"}

var keyForm = regexp.MustCompile(`^[a-z0-9-]{1,64}\z`)

// Keyset is the deployment's public keys, verified.
type Keyset struct {
	Epoch uint32
	keys  []*evidence.PublicKey
}

// Trust verifies a keyset against the pinned root fingerprint (§10.1): the root's word for the signer, then the signer's
// for the keyset; of each the signature first, then form, time and epoch.
func Trust(keyset *evidence.Keyset, fingerprint string, now time.Time, smallestEpoch uint32) (Keyset, error) {
	if keyset == nil || Fingerprint(keyset.RootPublicKey) != fingerprint {
		return Keyset{}, Untrusted{"root"}
	}
	signer, err := trustSigner(keyset, now)
	if err != nil {
		return Keyset{}, err
	}
	if !Verify(signer.PublicKey, Labelled("sallyport-keyset-v1", keyset.Payload), keyset.Signature) {
		return Keyset{}, Untrusted{"keyset-signature"}
	}
	claims := &evidence.KeysetClaims{}
	if err := decodeStrict(keyset.Payload, claims); err != nil || !isWellFormed(claims) {
		return Keyset{}, Untrusted{"keyset-form"}
	}
	if !now.Before(claims.NotAfter.AsTime()) {
		return Keyset{}, Untrusted{"keyset-expired"}
	}
	if claims.Epoch < smallestEpoch || claims.Epoch < signer.MinEpoch || claims.Epoch > signer.MaxEpoch {
		return Keyset{}, Untrusted{"keyset-epoch"}
	}
	return Keyset{claims.Epoch, claims.Keys}, nil
}

func trustSigner(keyset *evidence.Keyset, now time.Time) (*evidence.KeysetSignerClaims, error) {
	statement := keyset.Signer
	if statement == nil ||
		!Verify(keyset.RootPublicKey, Labelled("sallyport-keyset-signer-v1", statement.Payload), statement.Signature) {
		return nil, Untrusted{"signer-signature"}
	}
	claims := &evidence.KeysetSignerClaims{}
	if err := decodeStrict(statement.Payload, claims); err != nil || !isSigner(claims) {
		return nil, Untrusted{"signer-form"}
	}
	if now.Before(claims.NotBefore.AsTime()) || !now.Before(claims.NotAfter.AsTime()) {
		return nil, Untrusted{"signer-time"}
	}
	return claims, nil
}

func isSigner(claims *evidence.KeysetSignerClaims) bool {
	return keyForm.MatchString(claims.KeyId) && len(claims.PublicKey) == 32 &&
		claims.NotBefore.CheckValid() == nil && claims.NotAfter.CheckValid() == nil &&
		claims.NotBefore.AsTime().Before(claims.NotAfter.AsTime()) &&
		claims.MinEpoch > 0 && claims.MinEpoch <= claims.MaxEpoch
}

// key returns the key of the use and id.
func (k Keyset) key(use evidence.KeyUse, id string) []byte {
	for _, key := range k.keys {
		if key.Use == use && key.KeyId == id {
			return key.PublicKey
		}
	}
	return nil
}

func isWellFormed(claims *evidence.KeysetClaims) bool {
	if claims.Epoch == 0 || claims.NotAfter.CheckValid() != nil || len(claims.Keys) > 32 {
		return false
	}
	seen := map[string]bool{}
	uses := map[evidence.KeyUse]bool{}
	holders := map[string]bool{}
	for _, key := range claims.Keys {
		name := key.Use.String() + " " + key.KeyId
		_, known := evidence.KeyUse_name[int32(key.Use)]
		if !known || key.Use == 0 || !keyForm.MatchString(key.KeyId) || len(key.PublicKey) != 32 || seen[name] {
			return false
		}
		if answers := key.Use == evidence.KeyUse_KEY_USE_ANSWER; answers != slices.Contains(owners, key.Holder) ||
			!answers && key.Holder != "" {
			return false
		}
		seen[name], uses[key.Use], holders[key.Holder] = true, true, true
	}
	delete(holders, "")
	return len(uses) == len(evidence.KeyUse_name)-1 && len(holders) == len(owners)
}
