package sallyport

import (
	"crypto/ecdh"
	"crypto/sha256"
	"regexp"
	"slices"

	"google.golang.org/protobuf/proto"
	evidence "sallyport.example/interop/gen/sallyport/evidence/v1"
	gateway "sallyport.example/interop/gen/sallyport/gateway/v1"
)

var (
	secretID       = regexp.MustCompile(`^sec_` + random + `\z`)
	optionalSecret = regexp.MustCompile(`^(?:sec_` + random + `)?\z`)
)

// Secret is a value that was opened.
type Secret struct {
	ID      string
	Name    string
	Version uint32
	Value   []byte
}

// Question is what a reply must answer: one signed request, to one recipient, for these secrets or, with none, for all
// that are granted; with a version, for that one, else for the current one.
type Question struct {
	Digest    [32]byte
	Recipient *ecdh.PrivateKey
	IDs       []string
	Version   uint32
}

// Open verifies a reply (§9.1, §10.1) before it opens a value, and returns the values and where the next page begins.
func (q Question) Open(keyset Keyset, reply *gateway.ReadSecretsResponse) ([]Secret, string, error) {
	claims, err := keyset.claimsOf(reply.Reply)
	if err != nil {
		return nil, "", err
	}
	if string(claims.RequestDigest) != string(q.Digest[:]) {
		return nil, "", Untrusted{"reply-digest"}
	}
	if !q.isAnsweredBy(claims.Secrets) {
		return nil, "", Untrusted{"reply-secrets"}
	}
	if claims.NextPageToken != reply.NextPageToken {
		return nil, "", Untrusted{"reply-page"}
	}
	sealed, err := match(claims.Secrets, reply.Secrets)
	if err != nil {
		return nil, "", err
	}
	secrets, err := q.unseal(reply.EncapsulatedKey, sealed)
	return secrets, claims.NextPageToken, err
}

// claimsOf verifies the signature, then decodes.
func (k Keyset) claimsOf(reply *evidence.SignedReply) (*evidence.ReplyClaims, error) {
	if reply == nil {
		return nil, Untrusted{"reply-missing"}
	}
	key := k.key(evidence.KeyUse_KEY_USE_REPLY, reply.KeyId)
	if !Verify(key, Labelled("sallyport-reply-v1", reply.Payload), reply.Signature) {
		return nil, Untrusted{"reply-signature"}
	}
	claims := &evidence.ReplyClaims{}
	if err := decodeStrict(reply.Payload, claims); err != nil || !isReply(claims) {
		return nil, Untrusted{"reply-form"}
	}
	return claims, nil
}

// isReply checks the bounds of the contract.
func isReply(claims *evidence.ReplyClaims) bool {
	wrong := func(secret *evidence.ReplySecret) bool { return !isOutcome(secret) }
	return len(claims.RequestDigest) == sha256.Size && len(claims.Secrets) <= 100 &&
		optionalSecret.MatchString(claims.NextPageToken) && !slices.ContainsFunc(claims.Secrets, wrong)
}

// isOutcome tells whether a secret was either refused, with nothing in it, or opened, with everything.
func isOutcome(secret *evidence.ReplySecret) bool {
	_, isKind := evidence.ValueKind_name[int32(secret.Kind)]
	if !secretID.MatchString(secret.SecretId) || !isKind {
		return false
	}
	if secret.Refusal != nil {
		empty := secret.Name == "" && secret.Version == 0 && secret.Kind == 0 && len(secret.ContentSha256) == 0
		return empty && secret.Receipt == nil && isRefusal(secret.Refusal)
	}
	return secret.Name != "" && len(secret.Name) <= 128 && secret.Version > 0 && secret.Kind != 0 &&
		len(secret.ContentSha256) == sha256.Size
}

// isAnsweredBy tells whether no secret occurs twice and, when secrets were named, those and no others occur.
func (q Question) isAnsweredBy(secrets []*evidence.ReplySecret) bool {
	answered := map[string]bool{}
	for _, secret := range secrets {
		isAsked := q.IDs == nil || slices.Contains(q.IDs, secret.SecretId)
		isRefused := secret.Refusal != nil
		if !isAsked || answered[secret.SecretId] || q.Version != 0 && !isRefused && secret.Version != q.Version {
			return false
		}
		answered[secret.SecretId] = true
	}
	return q.IDs == nil || len(answered) == len(q.IDs)
}

type sealedValue struct {
	claim      *evidence.ReplySecret
	ciphertext []byte
}

// match finds the result of every claim by its id, in the order of the claims.
func match(claims []*evidence.ReplySecret, results []*gateway.SecretResult) ([]sealedValue, error) {
	if len(results) != len(claims) {
		return nil, Untrusted{"reply-results"}
	}
	found := map[string]*gateway.SecretResult{}
	for _, result := range results {
		found[result.SecretId] = result
	}
	var sealed []sealedValue
	for _, claim := range claims {
		result := found[claim.SecretId]
		if result == nil || !isOf(result, claim) {
			return nil, Untrusted{"reply-results"}
		}
		if claim.Refusal != nil {
			continue
		}
		content, isSealed := result.Content.(*gateway.SecretResult_Ciphertext)
		if !isSealed || sha256.Sum256(content.Ciphertext) != [32]byte(claim.ContentSha256) {
			return nil, Untrusted{"reply-content"}
		}
		sealed = append(sealed, sealedValue{claim, content.Ciphertext})
	}
	return sealed, nil
}

// isOf tells whether a result says what was signed; a refused one has no content.
func isOf(result *gateway.SecretResult, claim *evidence.ReplySecret) bool {
	same := result.Name == claim.Name && result.Version == claim.Version &&
		result.Kind == claim.Kind && proto.Equal(result.Refusal, claim.Refusal)
	return same && (claim.Refusal == nil || result.Content == nil)
}

func (q Question) unseal(encapsulated []byte, sealed []sealedValue) ([]Secret, error) {
	if len(sealed) == 0 {
		return nil, nil
	}
	context, err := receive(q.Recipient, encapsulated, q.Digest)
	if err != nil {
		return nil, Untrusted{"seal"}
	}
	var secrets []Secret
	for _, value := range sealed {
		claim := value.claim
		plaintext, err := context.Open(ReadAAD(claim.SecretId, claim.Version), value.ciphertext)
		if err != nil {
			return nil, Untrusted{"seal"}
		}
		secrets = append(secrets, Secret{claim.SecretId, claim.Name, claim.Version, plaintext})
	}
	return secrets, nil
}
