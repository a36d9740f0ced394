package cli

import (
	"testing"

	"github.com/cairnkv/cairn/client"
)

// JSON is printed as it can be typed again, on one line.
func TestJSONText(t *testing.T) {
	for in, want := range map[string]string{
		`"text"`:              `"text"`,
		`{"a": 1.0}`:          `{"a": 1.0}`,
		"{\n\t\"a\": [1, 2]}": `{"a":[1,2]}`,
	} {
		if got := valueText(client.JSONValue([]byte(in))); got != want {
			t.Errorf("%q is printed as %q, want %q", in, got, want)
		}
	}
}
