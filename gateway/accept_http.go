package gateway

import (
	"mime"
	"net/http"
	"strconv"
	"strings"
)

// quality is how much a client wants a media type, 0 to 1: as the most specific of the ranges says
// that it accepts. named reports whether one is the type itself, and not just a range around it.
func quality(h http.Header, want string) (q float64, named bool) {
	values := h.Values("Accept")
	if len(values) == 0 {
		return 1, false
	}
	major, _, _ := strings.Cut(want, "/")
	const exact, subtypes, everything = 3, 2, 1
	best := 0
	for part := range strings.SplitSeq(strings.Join(values, ","), ",") {
		kind, params, err := mime.ParseMediaType(part)
		if err != nil {
			continue
		}
		specific := 0
		switch kind {
		case want:
			specific = exact
		case major + "/*":
			specific = subtypes
		case "*/*":
			specific = everything
		}
		if specific > best {
			best, q = specific, weight(params["q"])
		}
	}
	return q, best == exact
}

// weight is a q-value; one that cannot be read is none.
func weight(s string) float64 {
	q, err := strconv.ParseFloat(s, 64)
	if err != nil || q < 0 || q > 1 {
		return 1
	}
	return q
}

// prefers reports whether the client names a media type, and wants it no less than what it would
// get otherwise. A range such as */* names nothing: curl sends that.
func prefers(h http.Header, want, otherwise string) bool {
	q, named := quality(h, want)
	if !named || q == 0 {
		return false
	}
	otherwise, _, _ = strings.Cut(otherwise, ";")
	o, _ := quality(h, otherwise)
	return q >= o
}
