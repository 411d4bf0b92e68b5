package main

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"sallyport.example/interop/sallyport"
)

// verdicts maps file/list/index to what was made of the vector: what it came to, or "refused" and the step.
type verdicts map[string]string

// judgeVectors runs every vector of the folder; it reads inputs only, never what is expected of them.
func judgeVectors(dir string) (verdicts, error) {
	judges := map[string]func(verdicts, []byte) error{
		"answers":          judgeAnswers,
		"authority":        judgeAuthorities,
		"bodies":           judgeBodies,
		"ed25519":          judgeEd25519,
		"headers-invalid":  judgeHeaders,
		"labels":           judgeLabels,
		"replies":          judgeReplies,
		"requests-invalid": judgeInvalidRequests,
		"requests-valid":   judgeValidRequests,
		"rfc9421":          judgeStandard,
		"sealing":          judgeSealing,
		"tokens":           judgeTokens,
	}
	files, err := filepath.Glob(filepath.Join(dir, "*.json"))
	if err != nil {
		return nil, err
	}
	all := verdicts{}
	for _, file := range files {
		name := filepath.Base(file[:len(file)-len(".json")])
		judge, known := judges[name]
		if !known {
			return nil, fmt.Errorf("no judge for %s", file)
		}
		bytes, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		if err := judge(all, bytes); err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
	}
	return all, nil
}

// each adds a verdict for every vector of a list.
func each[T any](all verdicts, list string, vectors []T, judge func(T) (string, error)) {
	for i, vector := range vectors {
		all[fmt.Sprintf("%s/%d", list, i)] = verdictOf(judge(vector))
	}
}

func verdictOf(result string, err error) string {
	var refused sallyport.Refused
	var untrusted sallyport.Untrusted
	switch {
	case err == nil:
		return result
	case errors.As(err, &refused):
		return "refused: " + refused.Step
	case errors.As(err, &untrusted):
		return "refused: " + untrusted.Step
	default:
		return "refused"
	}
}

func parse[T any](bytes []byte) (T, error) {
	var file T
	err := json.Unmarshal(bytes, &file)
	return file, err
}

// unhex is hexadecimal text in a vector.
type unhex []byte

func (u *unhex) UnmarshalText(text []byte) error {
	bytes, err := hex.DecodeString(string(text))
	*u = bytes
	return err
}

func hexOf(bytes []byte) string { return hex.EncodeToString(bytes) }
