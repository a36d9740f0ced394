package cli

import (
	"strconv"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestParseTime(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	for in, want := range map[string]int64{
		"1795235257211209":          1795235257211209,
		"5m":                        now.Add(-5 * time.Minute).UnixMicro(),
		"0s":                        now.UnixMicro(),
		"2026-01-02T15:04:05Z":      1767366245000000,
		"2026-01-02T15:04:05.5Z":    1767366245500000,
		"2026-01-02T16:04:05+01:00": 1767366245000000,
	} {
		if got, err := parseTime(in, now); err != nil || int64(got) != want {
			t.Errorf("%s: %d, %v, want %d", in, got, err, want)
		}
	}
	for _, in := range []string{"", "0", "\x00-5", "-5m", "2026-01-02", "soon"} {
		if got, err := parseTime(in, now); err == nil {
			t.Errorf("%q: %d, want an error", in, got)
		}
	}
}

func TestParseDuration(t *testing.T) {
	for in, want := range map[string]time.Duration{
		"30000": 30 * time.Second, "30s": 30 * time.Second, "0": 0, "\x00-5": -5 * time.Millisecond,
	} {
		if got, err := parseDuration(in); err != nil || got != want {
			t.Errorf("%s: %v, %v, want %v", in, got, err, want)
		}
	}
	for _, in := range []string{"", "x", "9223372036854775807"} {
		if got, err := parseDuration(in); err == nil {
			t.Errorf("%q: %v, want an error", in, got)
		}
	}
}

// What is printed can be typed again.
func TestQuoteRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := string(rapid.SliceOf(rapid.Byte()).Draw(t, "bytes"))
		for _, quoted := range []string{quoteKey(s), quoteText(s), listed("k" + s)} {
			back, err := unquote(quoted)
			if err != nil || back != s && back != "k"+s {
				t.Errorf("%q printed as %s came back as %q, %v", s, quoted, back, err)
			}
		}
	})
	for in, want := range map[string]string{
		"a": "a", "a b": "a b", " a": `" a"`, "": `""`, `"`: `"\""`, "a\n": strconv.Quote("a\n"), `a"b`: `a"b`,
	} {
		if got := quoteText(in); got != want {
			t.Errorf("%q: %s, want %s", in, got, want)
		}
	}
}
