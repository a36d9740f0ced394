package gateway

import (
	"net/http"
	"net/url"
	"unicode/utf8"

	"github.com/cairnkv/cairn/txn"
)

// messageHeader carries the message of a write at the HTTP endpoint, as UTF-8 in which what a
// header cannot hold is escaped as in a URL.
const messageHeader = "X-Cairn-Message"

// noteIn is what the body of a write may say about it; the headers can say the same.
type noteIn struct {
	RequestID *string `json:"request_id"`
	Message   *string `json:"message"`
}

// note names a write, so that it happens once, and says why it was made.
type note struct {
	requestID []byte
	message   string
}

// note reads what body and headers say.
func (t *httpTarget) note(in *noteIn) (n note, failed *txn.Error) {
	id, failed := said(t.header, requestHeader, "request_id", in.RequestID)
	if failed != nil {
		return n, failed
	}
	if id != nil {
		if *id == "" {
			return n, badRequest("request_id_invalid",
				"the request_id is empty; it has 1 to %d bytes", txn.RequestIDBytesMax)
		}
		n.requestID = []byte(*id)
	}
	escaped := in.Message == nil
	message, failed := said(t.header, messageHeader, "message", in.Message)
	if failed != nil || message == nil {
		return n, failed
	}
	if n.message = *message; !escaped {
		return n, nil
	}
	var err error
	if n.message, err = url.PathUnescape(*message); err != nil || !utf8.ValidString(n.message) {
		return n, badRequest("message_escape_invalid",
			"%s: %q is no percent-encoded UTF-8; a %% itself is %%25", messageHeader, *message)
	}
	return n, nil
}

// said is what the header or the body says, nil if none does.
func said(h http.Header, name, field string, body *string) (*string, *txn.Error) {
	values := h.Values(name)
	switch {
	case len(values) == 0:
		return body, nil
	case body != nil:
		return nil, badRequest(field+"_invalid", "%s is given by the body and by %s", field, name)
	case len(values) > 1:
		return nil, badRequest(field+"_invalid", "%s is given %d times", name, len(values))
	}
	return &values[0], nil
}
