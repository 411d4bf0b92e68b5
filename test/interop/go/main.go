// Command interop speaks to a deployment as a stranger would, from the documents alone.
//
//	interop vectors DIR   prints a verdict for each vector in DIR
//	interop read          enrolls, lists, reads what was listed, and prints names and SHA-256 of the values
//	interop read-all      enrolls and reads everything granted
//
// Environment: SALLYPORT_URL, SALLYPORT_CA, SALLYPORT_ENROLLMENT_TOKEN; SALLYPORT_CONNECT, an address to dial instead
// of the URL's; SALLYPORT_EPOCH, the epoch of the last keyset seen. Exit codes: 1 unexpected, 2 usage, 3 refused, 4 an
// answer that cannot be trusted; standard error says which refusal or step.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/status"
	"sallyport.example/interop/sallyport"
)

func main() {
	result, err := run(os.Args[1:])
	if err != nil {
		os.Exit(explain(err))
	}
	json.NewEncoder(os.Stdout).Encode(result)
}

func run(args []string) (any, error) {
	switch {
	case len(args) == 2 && args[0] == "vectors":
		return judgeVectors(args[1])
	case len(args) == 1 && args[0] == "read":
		return enrollAndRead(readListed)
	case len(args) == 1 && args[0] == "read-all":
		return enrollAndRead(readAll)
	}
	return nil, errUsage
}

var errUsage = errors.New("usage: interop vectors DIR | read | read-all")

// explain says on standard error what went wrong and returns the exit code.
func explain(err error) int {
	var untrusted sallyport.Untrusted
	if errors.As(err, &untrusted) {
		fmt.Fprintln(os.Stderr, "untrusted", untrusted.Step)
		return 4
	}
	for _, detail := range status.Convert(err).Details() {
		if info, ok := detail.(*errdetails.ErrorInfo); ok && info.Domain == "sallyport" {
			fmt.Fprintln(os.Stderr, "refused", info.Reason)
			return 3
		}
	}
	fmt.Fprintln(os.Stderr, err)
	if errors.Is(err, errUsage) {
		return 2
	}
	return 1
}
