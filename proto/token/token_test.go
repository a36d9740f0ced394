package token

import (
	"encoding/base64"
	"reflect"
	"strings"
	"testing"

	"github.com/cairnkv/cairn/txn"
)

func key(s string) txn.Key { return txn.NewKey(txn.DefaultKeyspace, []byte(s)) }

var tokens = map[string]Token{
	"AQEKQQAAAAAAAAAAAAAAAAAAAAdkZWZhdWx0AWs": {
		Keyspace: "default", Anchor: txn.Key("k"), ID: txn.RequestID{0x41}, Since: 10,
	},
	"AQIKQQAAAAAAAAAAAAAAAAAAAAUAAAABaw": {
		Anchor: key("k"), ID: txn.RequestID{0x41}, Since: 10,
	},
}

// Tokens outlive the process that made them: their text stays what it is.
func TestGolden(t *testing.T) {
	for text, token := range tokens {
		if got := token.String(); got != text {
			t.Errorf("%+v is %s, want %s", token, got, text)
		}
		if got, err := Parse(text); err != nil || !reflect.DeepEqual(got, token) {
			t.Errorf("%s is %+v, %v", text, got, err)
		}
	}
}

func TestRefuses(t *testing.T) {
	named := Token{Keyspace: "default", Anchor: txn.Key("k"), Since: 10}
	for name, text := range map[string]string{
		"nothing":    "",
		"no base64":  "a*b",
		"padded":     base64.URLEncoding.EncodeToString([]byte{1, 1}),
		"too long":   strings.Repeat("A", textMax+1),
		"version":    base64.RawURLEncoding.EncodeToString([]byte{2, 1}),
		"kind":       base64.RawURLEncoding.EncodeToString([]byte{1, 3, 10}),
		"cut":        named.String()[:20],
		"continued":  named.String() + "AA",
		"no key":     Token{Keyspace: "default"}.String(),
		"bare key":   Token{Anchor: txn.Key("k")}.String(),
		"hidden key": Token{Anchor: txn.NewKey(txn.SystemKeyspace, []byte("k"))}.String(),
		"long name":  Token{Keyspace: strings.Repeat("x", 65), Anchor: txn.Key("k")}.String(),
	} {
		if got, err := Parse(text); txn.KindOf(err) != txn.Invalid {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	for text := range tokens {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		token, err := Parse(text)
		if err != nil {
			return
		}
		again, err := Parse(token.String())
		if err != nil || !reflect.DeepEqual(again, token) {
			t.Fatalf("%+v came back as %+v, %v", token, again, err)
		}
	})
}
