package main

import (
	"crypto/ecdh"
	"strconv"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"
	evidence "sallyport.example/interop/gen/sallyport/evidence/v1"
	gateway "sallyport.example/interop/gen/sallyport/gateway/v1"
	"sallyport.example/interop/sallyport"
)

type keysetVector struct {
	Payload, RootPublicKey, Signature []byte
	Signer                            *struct{ Payload, Signature []byte }
}

func (v keysetVector) keyset() *evidence.Keyset {
	keyset := &evidence.Keyset{Payload: v.Payload, RootPublicKey: v.RootPublicKey, Signature: v.Signature}
	if v.Signer != nil {
		keyset.Signer = &evidence.KeysetSigner{Payload: v.Signer.Payload, Signature: v.Signer.Signature}
	}
	return keyset
}

type replyVector struct {
	SecretIDs []string
	Version   uint32
	Response  []byte
}

type replyFile struct {
	RootFingerprint              string
	NowSeconds                   int64
	SmallestEpoch                uint32
	KeysetsValid, KeysetsInvalid []keysetVector
	Keyset                       keysetVector
	RequestDigest                unhex
	RecipientPrivateKey          []byte
	RepliesValid, RepliesInvalid []replyVector
}

func judgeReplies(all verdicts, bytes []byte) error {
	file, err := parse[replyFile](bytes)
	if err != nil {
		return err
	}
	trust := func(v keysetVector) (sallyport.Keyset, error) {
		return sallyport.Trust(v.keyset(), file.RootFingerprint, time.Unix(file.NowSeconds, 0), file.SmallestEpoch)
	}
	judge := func(v keysetVector) (string, error) {
		_, err := trust(v)
		return "valid", err
	}
	each(all, "replies/keysetsValid", file.KeysetsValid, judge)
	each(all, "replies/keysetsInvalid", file.KeysetsInvalid, judge)
	keyset, err := trust(file.Keyset)
	if err != nil {
		return err
	}
	key, err := ecdh.X25519().NewPrivateKey(file.RecipientPrivateKey)
	if err != nil {
		return err
	}
	asked := sallyport.Question{Digest: [32]byte(file.RequestDigest), Recipient: key}
	open := func(v replyVector) (string, error) { return v.open(asked, keyset) }
	each(all, "replies/repliesValid", file.RepliesValid, open)
	each(all, "replies/repliesInvalid", file.RepliesInvalid, open)
	return nil
}

// open returns the opened values, one a line, then where the next page begins.
func (v replyVector) open(asked sallyport.Question, keyset sallyport.Keyset) (string, error) {
	response := &gateway.ReadSecretsResponse{}
	if err := proto.Unmarshal(v.Response, response); err != nil {
		return "", err
	}
	asked.Version = v.Version
	if len(v.SecretIDs) > 0 {
		asked.IDs = v.SecretIDs
	}
	secrets, next, err := asked.Open(keyset, response)
	var lines []string
	for _, secret := range secrets {
		version := strconv.FormatUint(uint64(secret.Version), 10)
		lines = append(lines, strings.Join([]string{secret.ID, secret.Name, version, base64Of(secret.Value)}, " "))
	}
	return strings.Join(append(lines, next), "\n"), err
}
