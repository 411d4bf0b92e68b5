package sallyport

import (
	"context"
	"crypto/ecdh"
	"crypto/ed25519"
	"crypto/rand"
	"time"

	gateway "sallyport.example/interop/gen/sallyport/gateway/v1"
	identity "sallyport.example/interop/gen/sallyport/identity/v1"
)

// Machine is an enrolled machine and the keys it trusts.
type Machine struct {
	ID     string
	Keyset Keyset
	conn   connection
	reads  gateway.ReadServiceClient
}

// Enroll makes a machine with a key of its own, and trusts no keyset but that of the token's root.
func Enroll(ctx context.Context, endpoint Endpoint, token Token, hostname string, smallestEpoch uint32) (*Machine, error) {
	public, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	stranger, err := endpoint.open(NewSigner(key, ""))
	if err != nil {
		return nil, err
	}
	defer stranger.Close()
	if err := stranger.trust(ctx, token.RootFingerprint, smallestEpoch); err != nil {
		return nil, err
	}
	enrolled, err := identity.NewEnrollmentServiceClient(stranger).Enroll(ctx, &identity.EnrollRequest{
		VaultId: token.VaultID,
		Admission: &identity.EnrollRequest_Token{Token: &identity.TokenAdmission{
			TokenId:   token.ID,
			PublicKey: token.PublicKey(),
			Proof:     token.Prove(public),
		}},
		MachinePublicKey: public,
		Hostname:         hostname,
	})
	if err != nil {
		return nil, err
	}
	conn, err := endpoint.open(NewSigner(key, enrolled.MachineId))
	if err != nil {
		return nil, err
	}
	*conn.keyset = *stranger.keyset
	reads := gateway.NewReadServiceClient(conn)
	return &Machine{ID: enrolled.MachineId, Keyset: *conn.keyset, conn: conn, reads: reads}, nil
}

// trust fetches the keyset; until then no answer of an owner is believed.
func (c connection) trust(ctx context.Context, fingerprint string, smallestEpoch uint32) error {
	answer, err := gateway.NewReadServiceClient(c).GetKeyset(ctx, &gateway.GetKeysetRequest{})
	if err != nil {
		return err
	}
	*c.keyset, err = Trust(answer.Keyset, fingerprint, time.Now(), smallestEpoch)
	return err
}

// Close ends the connection.
func (m *Machine) Close() { m.conn.Close() }

// List returns the ids of every readable secret.
func (m *Machine) List(ctx context.Context) ([]string, error) {
	ids := []string{}
	for page := ""; ; {
		answer, err := m.reads.ListReadableSecrets(ctx, &gateway.ListReadableSecretsRequest{PageToken: page})
		if err != nil {
			return nil, err
		}
		for _, secret := range answer.Secrets {
			ids = append(ids, secret.SecretId)
		}
		if page = answer.NextPageToken; page == "" {
			return ids, nil
		}
	}
}

// Read returns the current values of the secrets, at most 100.
func (m *Machine) Read(ctx context.Context, ids []string) ([]Secret, error) {
	secrets, _, err := m.page(ctx, &gateway.ReadSecretsRequest{SecretIds: ids, AllOrNothing: true})
	return secrets, err
}

// ReadAll returns the current value of every granted secret, page by page as signed.
func (m *Machine) ReadAll(ctx context.Context) ([]Secret, error) {
	var all []Secret
	for page := ""; ; {
		request := &gateway.ReadSecretsRequest{AllGranted: true, AllOrNothing: true, PageToken: page}
		secrets, next, err := m.page(ctx, request)
		if err != nil {
			return nil, err
		}
		all = append(all, secrets...)
		if page = next; page == "" {
			return all, nil
		}
	}
}

func (m *Machine) page(ctx context.Context, request *gateway.ReadSecretsRequest) ([]Secret, string, error) {
	key, err := ecdh.X25519().GenerateKey(rand.Reader)
	if err != nil {
		return nil, "", err
	}
	request.Recipient = recipientOf(key)
	asked := Question{Recipient: key, IDs: request.SecretIds}
	reply, err := m.reads.ReadSecrets(ctx, request, digestInto{digest: &asked.Digest})
	if err != nil {
		return nil, "", err
	}
	return asked.Open(m.Keyset, reply)
}
