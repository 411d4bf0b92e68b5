package main

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"net/url"
	"os"
	"strconv"
	"time"

	"sallyport.example/interop/sallyport"
)

// answer is what a read prints; values stay inside.
type answer struct {
	Machine string            `json:"machine"`
	Epoch   uint32            `json:"epoch"`
	Sha256  map[string]string `json:"sha256"`
}

type reading func(context.Context, *sallyport.Machine) ([]sallyport.Secret, error)

func readListed(ctx context.Context, machine *sallyport.Machine) ([]sallyport.Secret, error) {
	ids, err := machine.List(ctx)
	if err != nil {
		return nil, err
	}
	return machine.Read(ctx, ids)
}

func readAll(ctx context.Context, machine *sallyport.Machine) ([]sallyport.Secret, error) {
	return machine.ReadAll(ctx)
}

// enrollAndRead enrolls with the token of the environment and reads.
func enrollAndRead(read reading) (*answer, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	machine, err := enroll(ctx)
	if err != nil {
		return nil, err
	}
	defer machine.Close()
	secrets, err := read(ctx, machine)
	if err != nil {
		return nil, err
	}
	printed := answer{machine.ID, machine.Keyset.Epoch, map[string]string{}}
	for _, secret := range secrets {
		digest := sha256.Sum256(secret.Value)
		printed.Sha256[secret.Name] = hex.EncodeToString(digest[:])
	}
	return &printed, nil
}

func enroll(ctx context.Context) (*sallyport.Machine, error) {
	address, err := url.Parse(os.Getenv("SALLYPORT_URL"))
	if err != nil {
		return nil, err
	}
	token, err := sallyport.ParseToken(os.Getenv("SALLYPORT_ENROLLMENT_TOKEN"))
	if err != nil {
		return nil, err
	}
	epoch, err := strconv.ParseUint(cmp.Or(os.Getenv("SALLYPORT_EPOCH"), "0"), 10, 32)
	if err != nil {
		return nil, err
	}
	endpoint := sallyport.Endpoint{
		Authority: address.Host,
		CAFile:    os.Getenv("SALLYPORT_CA"),
		Connect:   os.Getenv("SALLYPORT_CONNECT"),
	}
	return sallyport.Enroll(ctx, endpoint, token, "go", uint32(epoch))
}
