package main

import (
	"time"

	"google.golang.org/protobuf/proto"
	evidence "sallyport.example/interop/gen/sallyport/evidence/v1"
	"sallyport.example/interop/sallyport"
)

type methodVector struct{ Path string }

type contentVector struct {
	Path, Header string
	Content      []byte
}

type refusalVector struct {
	Path, Reason string
	Answer       []byte
	Metadata     map[string]string
}

type answerFile struct {
	RootFingerprint                string
	NowSeconds                     int64
	SmallestEpoch                  uint32
	Keyset                         keysetVector
	RequestDigest                  unhex
	Methods                        []methodVector
	ContentsValid, ContentsInvalid []contentVector
	RefusalsValid, RefusalsInvalid []refusalVector
}

func judgeAnswers(all verdicts, bytes []byte) error {
	file, err := parse[answerFile](bytes)
	if err != nil {
		return err
	}
	keyset, err := sallyport.Trust(file.Keyset.keyset(), file.RootFingerprint, time.Unix(file.NowSeconds, 0),
		file.SmallestEpoch)
	if err != nil {
		return err
	}
	asked := func(path string) sallyport.Asked {
		return sallyport.Asked{Owner: sallyport.OwnerOf(path), Digest: [32]byte(file.RequestDigest)}
	}
	each(all, "answers/methods", file.Methods, func(v methodVector) (string, error) {
		if owner := sallyport.OwnerOf(v.Path); owner != "" {
			return owner, nil
		}
		return "none", nil
	})
	content := func(v contentVector) (string, error) {
		return "valid", asked(v.Path).Content(keyset, v.Header, v.Content)
	}
	each(all, "answers/contentsValid", file.ContentsValid, content)
	each(all, "answers/contentsInvalid", file.ContentsInvalid, content)
	refusal := func(v refusalVector) (string, error) {
		var signed *evidence.SignedAnswer
		if len(v.Answer) > 0 {
			signed = &evidence.SignedAnswer{}
			if err := proto.Unmarshal(v.Answer, signed); err != nil {
				return "", err
			}
		}
		vouched, err := asked(v.Path).Refusal(keyset, signed, v.Reason, v.Metadata)
		if vouched {
			return "vouched", err
		}
		return "the gateway's", err
	}
	each(all, "answers/refusalsValid", file.RefusalsValid, refusal)
	each(all, "answers/refusalsInvalid", file.RefusalsInvalid, refusal)
	return nil
}
