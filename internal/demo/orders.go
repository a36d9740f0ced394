package demo

import (
	"fmt"
	"slices"
	"strings"
)

// order is a line that somebody typed.
type order struct {
	verb string // empty: an empty line
	name string // of a child, where the verb needs one
}

const usage = `  status        what the cluster says of itself
  kill NAME     kill -9 of a process, m1 or g1; a bare number is a member
  stop NAME     ask a process to end
  restart NAME  start it again, after asking it to end if it runs
  quit          end everything, as Ctrl-C does
`

// parseOrder understands a line; names are those of the children.
func parseOrder(line string, names []string) (order, error) {
	words := strings.Fields(line)
	if len(words) == 0 {
		return order{}, nil
	}
	o := order{verb: words[0]}
	switch o.verb {
	case "status", "help", "quit":
		if len(words) > 1 {
			return order{}, fmt.Errorf("%s takes no name", o.verb)
		}
		return o, nil
	case "kill", "stop", "restart":
	default:
		return order{}, fmt.Errorf("no command %q; try help", o.verb)
	}
	if len(words) != 2 {
		return order{}, fmt.Errorf("%s needs one name: %s", o.verb, strings.Join(names, ", "))
	}
	for _, name := range []string{words[1], "m" + words[1]} {
		if slices.Contains(names, name) {
			o.name = name
			return o, nil
		}
	}
	return order{}, fmt.Errorf("there is no %s, but %s", words[1], strings.Join(names, ", "))
}
