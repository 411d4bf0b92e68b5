package main

import (
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/sha256"
	"fmt"

	"sallyport.example/interop/sallyport"
)

type tokenVector struct{ Text string }

type statementVector struct {
	VaultID                               string
	AdmittingPublicKey, AdmittedPublicKey []byte
	Seed                                  []byte
}

type renewalVector struct {
	VaultID                    string
	OldPublicKey, NewPublicKey []byte
	Seed                       []byte
}

type proofVector struct{ Signature []byte }

func judgeTokens(all verdicts, bytes []byte) error {
	file, err := parse[struct {
		RootPublicKey                       []byte
		Valid, Invalid                      []tokenVector
		EnrollmentStatement, LoginStatement statementVector
		RenewalStatement                    renewalVector
		InvalidRenewalProofs                []proofVector
	}](bytes)
	all["tokens/rootFingerprint"] = sallyport.Fingerprint(file.RootPublicKey)
	judge := func(v tokenVector) (string, error) {
		token, err := sallyport.ParseToken(v.Text)
		if err != nil {
			return "", err
		}
		keySha256 := sha256.Sum256(token.PublicKey())
		return fmt.Sprintf("%s %s %s %s %s %s", token.Kind, token.ID, token.VaultID, token.RootFingerprint,
			base64Of(token.Key.Seed()), hexOf(keySha256[:])), nil
	}
	each(all, "tokens/valid", file.Valid, judge)
	each(all, "tokens/invalid", file.Invalid, judge)
	all["tokens/enrollmentStatement"] = prove("enr", file.EnrollmentStatement)
	all["tokens/loginStatement"] = prove("login", file.LoginStatement)
	renewal := file.RenewalStatement
	statement := sallyport.RenewalStatement(renewal.VaultID, renewal.OldPublicKey, renewal.NewPublicKey)
	signature := ed25519.Sign(ed25519.NewKeyFromSeed(renewal.Seed), statement)
	all["tokens/renewalStatement"] = hexOf(statement) + " " + base64Of(signature)
	each(all, "tokens/invalidRenewalProofs", file.InvalidRenewalProofs, func(v proofVector) (string, error) {
		if !sallyport.Verify(renewal.NewPublicKey, statement, v.Signature) {
			return "", fmt.Errorf("the proof does not hold")
		}
		return "valid", nil
	})
	return err
}

// prove makes the statement and its signature; the token's public key comes of the seed.
func prove(kind string, v statementVector) string {
	token := sallyport.Token{Kind: kind, VaultID: v.VaultID, Key: ed25519.NewKeyFromSeed(v.Seed)}
	return hexOf(token.Statement(v.AdmittedPublicKey)) + " " + base64Of(token.Prove(v.AdmittedPublicKey))
}

type labelVector struct{ Label string }

func judgeLabels(all verdicts, bytes []byte) error {
	file, err := parse[struct {
		Payload               unhex
		Seed, MacKey          []byte
		Signed, Authenticated []labelVector
	}](bytes)
	if err != nil {
		return err
	}
	each(all, "labels/signed", file.Signed, func(v labelVector) (string, error) {
		preimage := sallyport.Labelled(v.Label, file.Payload)
		return hexOf(preimage) + " " + base64Of(ed25519.Sign(ed25519.NewKeyFromSeed(file.Seed), preimage)), nil
	})
	each(all, "labels/authenticated", file.Authenticated, func(v labelVector) (string, error) {
		preimage := sallyport.Labelled(v.Label, file.Payload)
		mac := hmac.New(sha256.New, file.MacKey)
		mac.Write(preimage)
		return hexOf(preimage) + " " + base64Of(mac.Sum(nil)), nil
	})
	return nil
}

type aadVector struct {
	SecretID string
	Version  uint32
}

func judgeSealing(all verdicts, bytes []byte) error {
	file, err := parse[struct {
		ReadInfo  struct{ RequestDigest unhex }
		ReadAad   []aadVector
		WriteInfo []sallyport.Write
	}](bytes)
	if err != nil {
		return err
	}
	all["sealing/readInfo"] = hexOf(sallyport.ReadInfo([32]byte(file.ReadInfo.RequestDigest)))
	each(all, "sealing/readAad", file.ReadAad, func(v aadVector) (string, error) {
		return hexOf(sallyport.ReadAAD(v.SecretID, v.Version)), nil
	})
	each(all, "sealing/writeInfo", file.WriteInfo, func(v sallyport.Write) (string, error) {
		return hexOf(v.Info()), nil
	})
	return nil
}
