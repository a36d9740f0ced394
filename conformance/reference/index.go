package main

import _ "embed"

// What stands before and behind the list of services.
var (
	//go:embed head.md
	indexHead string
	//go:embed tail.md
	indexTail string
)

// index is the first page.
func (b *book) index() []byte {
	b.printf("%s%s", generated, indexHead)
	for _, f := range b.files {
		for _, s := range f.services {
			b.printf("\n[%s](%s.md): ", s.name, f.name)
			for i, call := range s.calls {
				separator := ", "
				if i == 0 {
					separator = ""
				}
				b.printf("%s[%s](%s.md#%s)", separator, call.name, f.name, lower(call.name))
			}
			b.printf("\n")
		}
	}
	b.printf("\nWhat several of them use: [types](types.md), [errors](errors.md).\n%s", indexTail)
	return b.taken()
}

func lower(s string) string {
	b := []byte(s)
	for i, c := range b {
		if c >= 'A' && c <= 'Z' {
			b[i] = c + 'a' - 'A'
		}
	}
	return string(b)
}
