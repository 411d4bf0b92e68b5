package sallyport

import (
	"crypto/sha256"
	"encoding/base64"
	"maps"
	"regexp"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"
	reasons "sallyport.example/interop/gen/sallyport/errors/v1"
	evidence "sallyport.example/interop/gen/sallyport/evidence/v1"
)

const (
	answerHeader = "sallyport-answer"
	readService  = "/sallyport.gateway.v1.ReadService/"
	itself       = "itself"
)

var (
	ownedMethod = regexp.MustCompile(`^/sallyport\.([a-z]+)\.v1\.[A-Za-z]+/[A-Za-z]+\z`)
	nextStep    = regexp.MustCompile(`^[ -~]{0,200}\z`)
)

// What a gateway refuses for by itself, without the owner of the method, and the fields of a request's head.
var (
	gatewayReasons = []string{"REQUEST_REJECTED", "CLOCK_SKEW", "MACHINE_EXPIRED", "MACHINE_DISABLED", "ROLE_REQUIRED",
		"TOO_LARGE", "RATE_LIMITED", "DEPENDENCY_UNAVAILABLE", "INTERNAL"}
	headFields = []string{"authority", "body", "content-digest", "content-encoding", "content-type",
		"connect-content-encoding", "grpc-encoding", "headers", "method", "path", "trailer"}
)

// OwnerOf tells whose answer key signs the answers of a method (§11): "itself" for the read and the keyset, which carry a
// signature of their own, and nothing for what is no method of the deployment's.
func OwnerOf(method string) string {
	switch method {
	case readService + "ReadSecrets", readService + "GetKeyset":
		return itself
	case readService + "ListReadableSecrets":
		return "secrets"
	}
	if found := ownedMethod.FindStringSubmatch(method); found != nil && slices.Contains(owners, found[1]) {
		return found[1]
	}
	return ""
}

// Asked is a request that an owner must have answered.
type Asked struct {
	Owner  string
	Digest [32]byte
}

// Content verifies that the owner answered with these bytes; header is that of the answer, empty when there is none.
func (a Asked) Content(keyset Keyset, header string, content []byte) error {
	claims, err := a.claims(keyset, headerOf(header))
	if err != nil {
		return err
	}
	outcome, isContent := claims.Outcome.(*evidence.AnswerClaims_ContentSha256)
	if !isContent {
		return Untrusted{"answer-outcome"}
	}
	if digest := sha256.Sum256(content); string(outcome.ContentSha256) != string(digest[:]) {
		return Untrusted{"answer-content"}
	}
	return nil
}

// Refusal verifies that the owner refused for this reason, and tells whether it did: a gateway refuses for some reasons
// by itself, and then nobody signs.
func (a Asked) Refusal(keyset Keyset, signed *evidence.SignedAnswer, reason string, meta map[string]string) (bool, error) {
	if signed == nil && mayGatewayRefuse(reason, meta) {
		return false, nil
	}
	claims, err := a.claims(keyset, signed)
	if err != nil {
		return false, err
	}
	outcome, isRefusal := claims.Outcome.(*evidence.AnswerClaims_Refusal)
	if !isRefusal {
		return false, Untrusted{"answer-outcome"}
	}
	name := strings.TrimPrefix(outcome.Refusal.Reason.String(), "REASON_")
	if name != reason || !maps.Equal(outcome.Refusal.Metadata, meta) {
		return false, Untrusted{"answer-refusal"}
	}
	return true, nil
}

// claims verifies the signature, then decodes.
func (a Asked) claims(keyset Keyset, signed *evidence.SignedAnswer) (*evidence.AnswerClaims, error) {
	if signed == nil {
		return nil, Untrusted{"answer-missing"}
	}
	key := keyset.answerKey(a.Owner, signed.KeyId)
	if !Verify(key, Labelled("sallyport-answer-v1", signed.Payload), signed.Signature) {
		return nil, Untrusted{"answer-signature"}
	}
	claims := &evidence.AnswerClaims{}
	if err := decodeStrict(signed.Payload, claims); err != nil || !isAnswer(claims) {
		return nil, Untrusted{"answer-form"}
	}
	if string(claims.RequestDigest) != string(a.Digest[:]) {
		return nil, Untrusted{"answer-digest"}
	}
	return claims, nil
}

// answerKey returns the owner's answer key of the id.
func (k Keyset) answerKey(owner, id string) []byte {
	for _, key := range k.keys {
		if key.Use == evidence.KeyUse_KEY_USE_ANSWER && key.Holder == owner && key.KeyId == id {
			return key.PublicKey
		}
	}
	return nil
}

// isAnswer checks the bounds of the contract.
func isAnswer(claims *evidence.AnswerClaims) bool {
	if len(claims.RequestDigest) != sha256.Size || claims.KeysetEpoch == 0 {
		return false
	}
	switch outcome := claims.Outcome.(type) {
	case *evidence.AnswerClaims_ContentSha256:
		return len(outcome.ContentSha256) == sha256.Size
	case *evidence.AnswerClaims_Refusal:
		return isRefusal(outcome.Refusal)
	}
	return false
}

// isRefusal checks the bounds of the contract.
func isRefusal(refusal *reasons.Refusal) bool {
	for key, value := range refusal.Metadata {
		if key == "" || len(key) > 64 || len(value) > 512 {
			return false
		}
	}
	_, known := reasons.Reason_name[int32(refusal.Reason)]
	return known && refusal.Reason != 0 && len(refusal.Metadata) <= 8 && nextStep.MatchString(refusal.NextStep)
}

// headerOf reads the header of a signed answer; nil for what is none.
func headerOf(text string) *evidence.SignedAnswer {
	bytes, err := base64.RawURLEncoding.Strict().DecodeString(text)
	signed := &evidence.SignedAnswer{}
	if text == "" || err != nil || proto.Unmarshal(bytes, signed) != nil {
		return nil
	}
	return signed
}

func mayGatewayRefuse(reason string, metadata map[string]string) bool {
	return slices.Contains(gatewayReasons, reason) ||
		reason == "FIELD_INVALID" && slices.Contains(headFields, metadata["field"])
}
