package fault

import (
	"fmt"
	"net"
	"strings"
)

// Vias is where to connect instead of to an address.
type Vias map[string]string

// ParseVias reads "real=via,real=via", each a host:port. Nothing is none.
func ParseVias(s string) (Vias, error) {
	v := make(Vias)
	if s == "" {
		return v, nil
	}
	for pair := range strings.SplitSeq(s, ",") {
		real, via, _ := strings.Cut(pair, "=")
		for _, address := range []string{real, via} {
			if _, _, err := net.SplitHostPort(address); err != nil {
				return nil, fmt.Errorf("%s: %q is not real=via, two of host:port: %w", DialEnv, pair, err)
			}
		}
		if v[real] != "" {
			return nil, fmt.Errorf("%s names %s twice", DialEnv, real)
		}
		v[real] = via
	}
	return v, nil
}

// Of is the address to connect to.
func (v Vias) Of(address string) string {
	if via := v[address]; via != "" {
		return via
	}
	return address
}
