// Package sallyport is a client for machines, written from proto/SIGNING.md. Sections named in comments are of that page.
package sallyport

import (
	"errors"
	"regexp"
	"strconv"
	"strings"
)

var authorityForm = regexp.MustCompile(`^(?:[A-Za-z0-9_][A-Za-z0-9_.-]{0,252}|\[[0-9A-Fa-f:.]{2,45}\])(?::([1-9][0-9]{0,4}))?\z`)

// NormaliseAuthority returns the normal form of §2: lower case, and no port when it is 443.
func NormaliseAuthority(text string) (string, error) {
	parts := authorityForm.FindStringSubmatch(text)
	if parts == nil {
		return "", errors.New("not an authority")
	}
	port := parts[1]
	if number, _ := strconv.Atoi(port); number > 65535 {
		return "", errors.New("not a port")
	}
	if port == "443" {
		text = strings.TrimSuffix(text, ":443")
	}
	return strings.ToLower(text), nil
}
