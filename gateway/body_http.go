package gateway

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	cairnv1 "github.com/cairnkv/cairn/proto/gen/cairn/v1"
	"github.com/cairnkv/cairn/txn"
)

// BodyBytesMax is the largest JSON body that is taken: the largest transaction, 8 MiB, of bytes in
// base64, and room for what is around them.
const BodyBytesMax = 16 << 20

const (
	reasonBody        = "body_invalid"
	reasonContentType = "content_type_unsupported"
)

// post makes the handler of a JSON body that one call answers. request is what the body asks for,
// and answer what is answered, in JSON.
func post[Body, Req, Resp any](
	m method, f func(*Gateway, context.Context, *Req) (*Resp, error),
	request func(*Body, *httpTarget) (*Req, *txn.Error), answer func(*Resp) any,
) handler {
	return func(g *Gateway, w http.ResponseWriter, r *http.Request, t *httpTarget) *txn.Error {
		body := new(Body)
		if failed := readBody(w, r, body); failed != nil {
			return failed
		}
		req, failed := request(body, t)
		if failed != nil {
			return failed
		}
		resp, failed := call(r.Context(), g, m, req, f)
		if failed != nil {
			return failed
		}
		writeJSON(w, http.StatusOK, answer(resp))
		return nil
	}
}

// readBody reads a JSON body. It has to say that it is JSON: a web page can make a browser send
// anything else here without asking first.
func readBody(w http.ResponseWriter, r *http.Request, into any) *txn.Error {
	kind, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if charset := params["charset"]; err != nil || kind != contentJSON ||
		charset != "" && !strings.EqualFold(charset, "utf-8") {
		return badRequest(reasonContentType, "Content-Type %q is not taken here; the body has to be "+
			"%s, which curl --json says", r.Header.Get("Content-Type"), contentJSON)
	}
	text, failed := readLimited(w, r, BodyBytesMax)
	if failed != nil {
		return failed
	}
	return decodeBody(text, into)
}

// decodeBody refuses members that are unknown, given twice, null or of another type, and whatever
// is behind the end. (encoding/json takes a name in any case, and the last of two members.)
func decodeBody(text []byte, into any) *txn.Error {
	err := json.Unmarshal(text, into, json.RejectUnknownMembers(true),
		json.WithUnmarshalers(json.UnmarshalFromFunc(rejectNull)))
	if err != nil {
		return errBody(err)
	}
	return nil
}

// rejectNull keeps a null from being taken for what is not given: a condition, say. Only a value of
// a key can be null.
func rejectNull(d *jsontext.Decoder, into any) error {
	if _, value := into.(*jsontext.Value); !value && d.PeekKind() == 'n' {
		return errors.New("null is not taken; leave it out")
	}
	return errors.ErrUnsupported
}

// errBody names the member of the body that is wrong, and leaves the decoder's Go types out.
func errBody(err error) *txn.Error {
	if e, ok := errors.AsType[*json.SemanticError](err); ok {
		why := e.Err
		if why == nil {
			why = fmt.Errorf("a JSON %s is not taken", kindName(e.JSONKind))
		}
		return badRequest(reasonBody, "%s: %w", placeIn(e.JSONPointer), why)
	}
	if e, ok := errors.AsType[*jsontext.SyntacticError](err); ok {
		return badRequest(reasonBody, "%s, byte %d: %w", placeIn(e.JSONPointer), e.ByteOffset, e.Err)
	}
	return badRequest(reasonBody, "the body cannot be read: %w", err)
}

func placeIn(p jsontext.Pointer) string {
	if p == "" {
		return "the body"
	}
	return fmt.Sprintf("the body at %q", string(p))
}

func kindName(k jsontext.Kind) string {
	switch k {
	case '{':
		return "object"
	case '[':
		return "array"
	default:
		return k.String()
	}
}

// listIn is a list of no more elements than a transaction takes. An empty one has three bytes in a
// body and many more in memory, so they are counted before they are all there.
type listIn[T any] []T

// UnmarshalJSONFrom implements json.UnmarshalerFrom.
func (l *listIn[T]) UnmarshalJSONFrom(d *jsontext.Decoder) error {
	if kind := d.PeekKind(); kind != '[' {
		return fmt.Errorf("a JSON %s is not taken", kindName(kind))
	}
	if _, err := d.ReadToken(); err != nil {
		return err
	}
	for d.PeekKind() != ']' {
		if len(*l) == BatchKeysMax {
			return fmt.Errorf("it has more than %d elements", BatchKeysMax)
		}
		var element T
		if err := json.UnmarshalDecode(d, &element); err != nil {
			return err
		}
		*l = append(*l, element)
	}
	_, err := d.ReadToken()
	return err
}

// batchIn is the list of a batch. Of one that is too long, what is over the limit is only counted,
// so that the error can name the number.
type batchIn[T any] struct {
	list  []T
	count int
}

// UnmarshalJSONFrom implements json.UnmarshalerFrom.
func (b *batchIn[T]) UnmarshalJSONFrom(d *jsontext.Decoder) error {
	if kind := d.PeekKind(); kind != '[' {
		return fmt.Errorf("a JSON %s is not taken", kindName(kind))
	}
	if _, err := d.ReadToken(); err != nil {
		return err
	}
	for ; d.PeekKind() != ']'; b.count++ {
		if b.count >= BatchKeysMax {
			if err := d.SkipValue(); err != nil {
				return err
			}
			continue
		}
		var element T
		if err := json.UnmarshalDecode(d, &element); err != nil {
			return err
		}
		b.list = append(b.list, element)
	}
	_, err := d.ReadToken()
	return err
}

// readLimited reads a body of at most so many bytes.
func readLimited(w http.ResponseWriter, r *http.Request, limit int64) ([]byte, *txn.Error) {
	if e := r.Header.Get("Content-Encoding"); e != "" && !strings.EqualFold(e, "identity") {
		w.Header().Set("Accept-Encoding", "identity")
		return nil, badRequest(reasonEncoding,
			"Content-Encoding %q is not taken; send the body as it is", e)
	}
	if r.Header.Get("Content-Range") != "" {
		return nil, badRequest(reasonCondition, "Content-Range: a body is taken whole")
	}
	if r.ContentLength > limit {
		return nil, errBodyTooLarge(r.ContentLength, limit)
	}
	var b bytes.Buffer
	if r.ContentLength > 0 {
		b.Grow(int(min(r.ContentLength, txn.ValueBytesMax)) + bytes.MinRead)
	}
	_, err := b.ReadFrom(io.Reader(http.MaxBytesReader(w, r.Body, limit)))
	if tooLarge, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return nil, errBodyTooLarge(tooLarge.Limit+1, limit)
	}
	if err != nil {
		return nil, badRequest("body_unreadable", "the body cannot be read: %w", err)
	}
	return b.Bytes(), nil
}

func errBodyTooLarge(atLeast, limit int64) *txn.Error {
	return badRequest(reasonBodyTooLarge, "the body has %d bytes or more, the limit is %d",
		atLeast, limit)
}

// within says where in the body an error is.
func within(failed *txn.Error, format string, args ...any) *txn.Error {
	if failed == nil {
		return nil
	}
	inner := *failed
	inner.Err = fmt.Errorf("%s: %w", fmt.Sprintf(format, args...), failed.Err)
	return &inner
}

// keyText is a key as a body names it.
type keyText struct {
	Key         string `json:"key"`
	KeyEncoding string `json:"key_encoding"`
}

func (k *keyText) bytes() ([]byte, *txn.Error) { return decodeText("key", k.Key, k.KeyEncoding) }

// decodeText is the bytes that a text stands for.
func decodeText(field, text, encoding string) ([]byte, *txn.Error) {
	switch encoding {
	case "":
		return []byte(text), nil
	case encodingBase64:
		b, err := base64.StdEncoding.Strict().DecodeString(text)
		if err != nil {
			return nil, badRequest("encoding_invalid", "%s is not the base64 that its encoding says: %w",
				field, err)
		}
		return b, nil
	default:
		return nil, badRequest("encoding_invalid", "the encoding of %s is %q; it can be %q",
			field, encoding, encodingBase64)
	}
}

// instant is microseconds since 1970, or a time of RFC 3339.
type instant int64

// UnmarshalJSON implements json.Unmarshaler.
func (i *instant) UnmarshalJSON(text []byte) error {
	at, err := parseInstant(strings.Trim(string(text), `"`))
	*i = instant(at)
	return err
}

func (i *instant) micros() *int64 { return (*int64)(i) }

func parseInstant(text string) (int64, error) {
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		return n, nil
	}
	at, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		return 0, fmt.Errorf("%q is neither microseconds since 1970 nor a time of RFC 3339", text)
	}
	return at.UnixMicro(), nil
}

// durabilityIn is which of the two namespaces a body means.
type durabilityIn struct {
	Durability string `json:"durability"`
}

func (d *durabilityIn) durability() (cairnv1.Durability, *txn.Error) {
	return durabilityNamed(d.Durability)
}

func durabilityNamed(name string) (cairnv1.Durability, *txn.Error) {
	switch name {
	case "":
		return cairnv1.Durability_DURABILITY_UNSPECIFIED, nil
	case "persistent":
		return cairnv1.Durability_DURABILITY_PERSISTENT, nil
	case "ephemeral":
		return cairnv1.Durability_DURABILITY_EPHEMERAL, nil
	default:
		return 0, badRequest("durability_invalid",
			"durability %q is neither persistent nor ephemeral", name)
	}
}
