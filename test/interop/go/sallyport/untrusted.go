package sallyport

// Untrusted says at which step an answer was found not to be the deployment's.
type Untrusted struct{ Step string }

func (u Untrusted) Error() string { return "the answer cannot be trusted: " + u.Step }
