package conformance

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"reflect"
	"strings"
	"unicode/utf8"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	cairnv1 "github.com/cairnkv/cairn/proto/gen/cairn/v1"
	"github.com/cairnkv/cairn/proto/gen/cairn/v1/cairnv1connect"
	"github.com/cairnkv/cairn/proto/transport"
	"github.com/cairnkv/cairn/txn"
)

// carrier makes one call; the error is Cairn's detail and code, or the harness's own.
type carrier interface {
	unary(ctx context.Context, method string, req, res proto.Message) error
	stream(ctx context.Context, req *cairnv1.RangeStreamRequest, piece func(*cairnv1.RangeStreamResponse)) error
}

// rpc speaks the RPC services, over one carrier or the other.
type rpc struct {
	carrier
	handles map[string]string // of open transactions
}

func (w *rpc) cannot(s *Step) string {
	if s.Value != nil && s.Value.Type == txn.String && !utf8.Valid(s.Value.Data) {
		return "a string of protobuf is UTF-8"
	}
	return ""
}

func (w *rpc) silent(*Step, string) bool { return false }

func (w *rpc) do(ctx context.Context, s *Step) (answer, error) {
	req, err := s.Request()
	if err != nil {
		return answer{}, err
	}
	if s.Op == "stream" {
		return w.streamed(ctx, req.(*cairnv1.RangeStreamRequest))
	}
	setText(req, "txn", w.handles[s.Tx])
	res, err := responseOf(s.Method())
	if err != nil {
		return answer{}, err
	}
	var all answer
	for {
		if err := w.unary(ctx, s.Method(), req, res); err != nil {
			return failedCall(err)
		}
		a := answerOf(res.ProtoReflect())
		a.items = append(all.items, a.items...)
		w.keepHandle(s, res)
		if all = a; s.Page == 0 || *a.cursor == "" {
			return all, nil
		}
		f := req.ProtoReflect().Descriptor().Fields().ByName("cursor")
		req.ProtoReflect().Set(f, protoreflect.ValueOfBytes([]byte(*a.cursor)))
	}
}

func (w *rpc) keepHandle(s *Step, res proto.Message) {
	f := res.ProtoReflect().Descriptor().Fields().ByName("txn")
	if f == nil || s.Tx == "" {
		return
	}
	if handle := res.ProtoReflect().Get(f).String(); handle != "" {
		w.handles[s.Tx] = handle
	}
}

func (w *rpc) streamed(ctx context.Context, req *cairnv1.RangeStreamRequest) (answer, error) {
	var all answer
	last := false
	err := w.stream(ctx, req, func(piece *cairnv1.RangeStreamResponse) {
		a := answerOf(piece.ProtoReflect())
		all.items = append(all.items, a.items...)
		last = piece.Last
	})
	if err != nil {
		return failedCall(err)
	}
	if !last {
		return answer{}, errors.New("the stream was cut")
	}
	return all, nil
}

func setText(m proto.Message, field, text string) {
	if f := m.ProtoReflect().Descriptor().Fields().ByName(protoreflect.Name(field)); f != nil && text != "" {
		m.ProtoReflect().Set(f, protoreflect.ValueOfString(text))
	}
}

func responseOf(method string) (proto.Message, error) {
	_, name, _ := strings.Cut(method, "/")
	t, err := protoregistry.GlobalTypes.FindMessageByName(protoreflect.FullName("cairn.v1." + name + "Response"))
	if err != nil {
		return nil, err
	}
	return t.New().Interface(), nil
}

// rpcError is an error with Cairn's detail.
type rpcError struct {
	code    connect.Code
	message string
	detail  *cairnv1.ErrorDetail
}

func (e *rpcError) Error() string { return fmt.Sprintf("%v: %s", e.code, e.message) }

// kindCodes are the Connect codes of the kinds, by API.md.
var kindCodes = map[string]connect.Code{
	"internal": connect.CodeInternal, "invalid_argument": connect.CodeInvalidArgument,
	"not_found": connect.CodeNotFound, "conflict": connect.CodeAborted, "wounded": connect.CodeAborted,
	"unavailable": connect.CodeUnavailable, "resource_exhausted": connect.CodeResourceExhausted,
	"too_old": connect.CodeOutOfRange, "deadline_exceeded": connect.CodeDeadlineExceeded,
	"unknown": connect.CodeUnknown,
}

// failedCall is Cairn's error as an answer; one without its detail is a failure of the test.
func failedCall(err error) (answer, error) {
	e, ok := errors.AsType[*rpcError](err)
	if !ok {
		return answer{}, err
	}
	if e.detail == nil {
		return answer{}, fmt.Errorf("an error without detail: %w", err)
	}
	kind := strings.ToLower(strings.TrimPrefix(e.detail.Kind.String(), "ERROR_KIND_"))
	switch kind {
	case "invalid":
		kind = "invalid_argument"
	case "exhausted":
		kind = "resource_exhausted"
	case "deadline":
		kind = "deadline_exceeded"
	}
	if kindCodes[kind] != e.code {
		return answer{}, fmt.Errorf("kind %s has code %v, want %v: %w", kind, e.code, kindCodes[kind], err)
	}
	return answer{failed: &failure{kind, e.detail.Reason, e.message}}, nil
}

// jsonCarrier posts protobuf's JSON, as any program without our code would.
type jsonCarrier struct {
	endpoint string
	client   *http.Client
}

func (c *jsonCarrier) post(ctx context.Context, method, kind string, body []byte) (*http.Response, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, c.endpoint+"/cairn.v1."+method, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	r.Header.Set("Content-Type", kind)
	r.Header.Set("Connect-Protocol-Version", "1")
	return c.client.Do(r)
}

func (c *jsonCarrier) unary(ctx context.Context, method string, req, res proto.Message) error {
	body, err := protojson.Marshal(req)
	if err != nil {
		return err
	}
	resp, err := c.post(ctx, method, "application/json", body)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return jsonError(text)
	}
	return protojson.Unmarshal(text, res)
}

// jsonError reads a Connect error.
func jsonError(text []byte) error {
	var e struct {
		Code, Message string
		Details       []struct{ Type, Value string }
	}
	if err := json.Unmarshal(text, &e); err != nil {
		return fmt.Errorf("%s: %w", text, err)
	}
	out := &rpcError{message: e.Message}
	if err := out.code.UnmarshalText([]byte(e.Code)); err != nil {
		return err
	}
	for _, d := range e.Details {
		raw, err := base64.RawStdEncoding.DecodeString(d.Value)
		if err != nil || d.Type != "cairn.v1.ErrorDetail" {
			continue
		}
		out.detail = &cairnv1.ErrorDetail{}
		if err := proto.Unmarshal(raw, out.detail); err != nil {
			return err
		}
	}
	return out
}

// stream reads envelopes: a byte of flags, four of length, a message.
func (c *jsonCarrier) stream(
	ctx context.Context, req *cairnv1.RangeStreamRequest, piece func(*cairnv1.RangeStreamResponse),
) error {
	message, err := protojson.Marshal(req)
	if err != nil {
		return err
	}
	body := append(binary.BigEndian.AppendUint32([]byte{0}, uint32(len(message))), message...)
	resp, err := c.post(ctx, "KVService/RangeStream", "application/connect+json", body)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	for {
		head := make([]byte, 5)
		if _, err := io.ReadFull(resp.Body, head); err != nil {
			return err
		}
		text := make([]byte, binary.BigEndian.Uint32(head[1:]))
		if _, err := io.ReadFull(resp.Body, text); err != nil {
			return err
		}
		if head[0]&2 != 0 {
			var end struct{ Error json.RawMessage }
			if err := json.Unmarshal(text, &end); err != nil || end.Error == nil {
				return err
			}
			return jsonError(end.Error)
		}
		m := &cairnv1.RangeStreamResponse{}
		if err := protojson.Unmarshal(text, m); err != nil {
			return err
		}
		piece(m)
	}
}

// grpcCarrier is the generated client over gRPC.
type grpcCarrier struct {
	services map[string]reflect.Value
	kv       cairnv1connect.KVServiceClient
	close    func()
}

func newGRPC(endpoint string) *grpcCarrier {
	h2c := transport.NewClient()
	kv := cairnv1connect.NewKVServiceClient(h2c, endpoint, connect.WithGRPC())
	return &grpcCarrier{kv: kv, close: h2c.CloseIdleConnections, services: map[string]reflect.Value{
		"KVService":       reflect.ValueOf(kv),
		"TxnService":      reflect.ValueOf(cairnv1connect.NewTxnServiceClient(h2c, endpoint, connect.WithGRPC())),
		"KeyspaceService": reflect.ValueOf(cairnv1connect.NewKeyspaceServiceClient(h2c, endpoint, connect.WithGRPC())),
	}}
}

// unary calls the method of that name with a connect.Request around req.
func (c *grpcCarrier) unary(ctx context.Context, method string, req, res proto.Message) error {
	service, name, _ := strings.Cut(method, "/")
	fn := c.services[service].MethodByName(name)
	request := reflect.New(fn.Type().In(1).Elem())
	request.Elem().FieldByName("Msg").Set(reflect.ValueOf(req))
	out := fn.Call([]reflect.Value{reflect.ValueOf(ctx), request})
	if err, _ := out[1].Interface().(error); err != nil {
		return connectError(err)
	}
	proto.Reset(res)
	proto.Merge(res, out[0].Elem().FieldByName("Msg").Interface().(proto.Message))
	return nil
}

func (c *grpcCarrier) stream(
	ctx context.Context, req *cairnv1.RangeStreamRequest, piece func(*cairnv1.RangeStreamResponse),
) error {
	s, err := c.kv.RangeStream(ctx, connect.NewRequest(req))
	if err != nil {
		return connectError(err)
	}
	defer func() { _ = s.Close() }()
	for s.Receive() {
		piece(s.Msg())
	}
	if s.Err() != nil {
		return connectError(s.Err())
	}
	return nil
}

func connectError(err error) error {
	e, ok := errors.AsType[*connect.Error](err)
	if !ok || !connect.IsWireError(e) {
		return err
	}
	out := &rpcError{code: e.Code(), message: e.Message()}
	for _, d := range e.Details() {
		if v, err := d.Value(); err == nil {
			out.detail, _ = v.(*cairnv1.ErrorDetail)
		}
	}
	return out
}
