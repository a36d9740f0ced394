//go:build mutants

package mutant

import (
	"os"
	"slices"
	"strings"
)

// On reports whether CAIRN_MUTANT, names with commas between, has the bug.
func On(n Name) bool {
	planted := os.Getenv("CAIRN_MUTANT")
	return planted == string(n) ||
		strings.Contains(planted, ",") && slices.Contains(strings.Split(planted, ","), string(n))
}
