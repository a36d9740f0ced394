//go:build mutants

package mutant

import "os"

// On reports whether CAIRN_MUTANT names the bug.
func On(n Name) bool { return os.Getenv("CAIRN_MUTANT") == string(n) }
