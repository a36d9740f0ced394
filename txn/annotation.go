package txn

import (
	"unicode"
	"unicode/utf8"
)

const (
	// MessageBytesMax is the longest message that users may give.
	MessageBytesMax = 1024
	// PrincipalBytesMax is the longest name that they may give themselves.
	PrincipalBytesMax = 256
)

// Annotation is who asked for a transaction, and why, as they said. Every
// version that it makes carries both.
type Annotation struct {
	Principal string
	Message   string
}

// Size is what it counts against WriteBytesMax with every write: that many
// copies are made of it.
func (a *Annotation) Size() int { return len(a.Principal) + len(a.Message) }

// Check holds a to its limits.
func (a *Annotation) Check() error {
	switch n := len(a.Principal); {
	case n > PrincipalBytesMax:
		return Errorf(Invalid, "principal_too_long",
			"the principal has %d bytes, the limit is %d", n, PrincipalBytesMax)
	case !utf8.ValidString(a.Principal):
		return Errorf(Invalid, "principal_not_utf8", "the principal %+q is not UTF-8", a.Principal)
	}
	for i, c := range a.Principal {
		if unicode.IsControl(c) {
			return Errorf(Invalid, "principal_control_character",
				"the principal has the control character %U at byte %d", c, i)
		}
	}
	switch n := len(a.Message); {
	case n > MessageBytesMax:
		return Errorf(Invalid, "message_too_long",
			"the message has %d bytes, the limit is %d", n, MessageBytesMax)
	case !utf8.ValidString(a.Message):
		return Errorf(Invalid, "message_not_utf8", "the message of %d bytes is not UTF-8", n)
	}
	return nil
}
