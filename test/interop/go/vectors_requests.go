package main

import (
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"strings"

	"sallyport.example/interop/sallyport"
)

// signedVector is a request with what its verifier knows. Both files of requests use it.
type signedVector struct {
	PublicKey  []byte
	KeyID      string
	NowSeconds int64
	Request    sallyport.Request
}

type requestFile struct {
	NowSeconds, WindowSeconds int64
	Authorities               []string
	Requests                  []signedVector
}

func judgeValidRequests(all verdicts, bytes []byte) error {
	return judgeRequests(all, "requests-valid/requests", bytes)
}

func judgeInvalidRequests(all verdicts, bytes []byte) error {
	return judgeRequests(all, "requests-invalid/requests", bytes)
}

func judgeRequests(all verdicts, list string, bytes []byte) error {
	file, err := parse[requestFile](bytes)
	each(all, list, file.Requests, func(v signedVector) (string, error) {
		digest, err := sallyport.VerifyRequest(v.Request, sallyport.Expected{
			PublicKey:     v.PublicKey,
			KeyID:         v.KeyID,
			Authorities:   file.Authorities,
			Now:           max(v.NowSeconds, file.NowSeconds),
			WindowSeconds: file.WindowSeconds,
		})
		return hexOf(digest[:]), err
	})
	return err
}

type headerVector struct{ Header string }

func judgeHeaders(all verdicts, bytes []byte) error {
	file, err := parse[struct{ SignatureInput, Signature []headerVector }](bytes)
	each(all, "headers-invalid/signatureInput", file.SignatureInput, func(v headerVector) (string, error) {
		_, err := sallyport.ParseSignatureInput(v.Header)
		return "valid", err
	})
	each(all, "headers-invalid/signature", file.Signature, func(v headerVector) (string, error) {
		_, err := sallyport.ParseSignature(v.Header)
		return "valid", err
	})
	return err
}

type authorityVector struct{ Input string }

func judgeAuthorities(all verdicts, bytes []byte) error {
	file, err := parse[struct{ Cases []authorityVector }](bytes)
	each(all, "authority/cases", file.Cases, func(v authorityVector) (string, error) {
		return sallyport.NormaliseAuthority(v.Input)
	})
	return err
}

type bodyVector struct {
	ContentType string
	Body        []byte
}

func judgeBodies(all verdicts, bytes []byte) error {
	file, err := parse[struct{ Valid, Invalid []bodyVector }](bytes)
	judge := func(v bodyVector) (string, error) {
		request, err := sallyport.DecodeRead(v.ContentType, v.Body)
		return strings.Join(request.GetSecretIds(), " "), err
	}
	each(all, "bodies/valid", file.Valid, judge)
	each(all, "bodies/invalid", file.Invalid, judge)
	return err
}

type standardVector struct {
	Algorithm  string
	Key        []byte
	Components [][2]string
	Params     string
	Signature  []byte
}

// judgeStandard holds the builder against the examples of RFC 9421.
func judgeStandard(all verdicts, bytes []byte) error {
	file, err := parse[struct{ Cases []standardVector }](bytes)
	each(all, "rfc9421/cases", file.Cases, func(v standardVector) (string, error) {
		var components []sallyport.Component
		for _, component := range v.Components {
			components = append(components, sallyport.Component{Name: component[0], Value: component[1]})
		}
		base, err := sallyport.Base(components, v.Params)
		if err != nil || !v.holds([]byte(base)) {
			return "", errors.New("the signature does not hold")
		}
		return base, nil
	})
	return err
}

func (v standardVector) holds(base []byte) bool {
	if v.Algorithm == "ed25519" {
		return ed25519.Verify(v.Key, base, v.Signature)
	}
	mac := hmac.New(sha256.New, v.Key)
	mac.Write(base)
	return hmac.Equal(mac.Sum(nil), v.Signature)
}

type ed25519Vector struct{ PublicKey, Message, Signature unhex }

func judgeEd25519(all verdicts, bytes []byte) error {
	file, err := parse[struct{ Cases []ed25519Vector }](bytes)
	each(all, "ed25519/cases", file.Cases, func(v ed25519Vector) (string, error) {
		if !sallyport.Verify(v.PublicKey, v.Message, v.Signature) {
			return "", errors.New("the signature does not hold")
		}
		return "valid", nil
	})
	return err
}

func base64Of(bytes []byte) string { return base64.StdEncoding.EncodeToString(bytes) }
