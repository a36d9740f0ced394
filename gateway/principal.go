package gateway

import (
	"context"
	"net/http"

	"github.com/cairnkv/cairn/txn"
)

// principalHeader says who makes a call, if its client says so. On a stream that of the opening
// request is for all its calls. Nobody has proved it: it is a note for the history.
const principalHeader = "X-Cairn-Principal"

type principalKey struct{}

// principal is who makes a call, or what is wrong with what it says.
type principal struct {
	name string
	err  error
}

// introduced is r with its principal in the context.
func introduced(r *http.Request) *http.Request {
	values := r.Header.Values(principalHeader)
	if len(values) == 0 {
		return r
	}
	p := principal{name: values[0]}
	if len(values) > 1 {
		p.err = invalid("principal_repeated", "%s is given %d times; once is enough",
			principalHeader, len(values))
	} else {
		note := txn.Annotation{Principal: p.name}
		p.err = note.Check()
	}
	return r.WithContext(context.WithValue(r.Context(), principalKey{}, p))
}

func principalOf(ctx context.Context) (string, error) {
	p, _ := ctx.Value(principalKey{}).(principal)
	return p.name, p.err
}

// annotation is what the history will tell of the writes of a call that gives this message.
func annotation(ctx context.Context, message string) (note txn.Annotation, err error) {
	note.Message = message
	if note.Principal, err = principalOf(ctx); err != nil {
		return note, err
	}
	return note, note.Check()
}
