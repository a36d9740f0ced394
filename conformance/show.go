package conformance

import (
	"bytes"
	"encoding/json"
	"strings"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// Shown is a step as one would type it, by way in.
type Shown struct {
	Way, Language, Text string
}

const exampleEndpoint = "http://127.0.0.1:7600"

// Show is the step in all ways in that know it. The step must have been put to a place.
func (s *Step) Show() []Shown {
	var out []Shown
	if text := s.Go(); text != "" {
		out = append(out, Shown{"Go", "go", text})
	}
	if c, cannot := s.Command(); cannot == "" {
		out = append(out, Shown{"CLI", "sh", c.String()})
	}
	if r := s.HTTP(); r != nil {
		out = append(out, Shown{"HTTP", "sh", r.Curl()})
	}
	if text := s.connect(); text != "" {
		out = append(out, Shown{"Connect JSON (for gRPC, the same message)", "sh", text})
	}
	return out
}

// connect is a call of the RPC services in JSON.
func (s *Step) connect() string {
	req, err := s.Request()
	if err != nil || s.Op == "stream" { // whose messages have envelopes
		return ""
	}
	if f := req.ProtoReflect().Descriptor().Fields().ByName("txn"); f != nil && s.Tx != "" {
		req.ProtoReflect().Set(f, protoreflect.ValueOfString("HANDLE"))
	}
	text, err := protojson.Marshal(req)
	if err != nil {
		return ""
	}
	var compact bytes.Buffer // protojson puts spaces in at random
	if json.Compact(&compact, text) != nil {
		return ""
	}
	r := &HTTPRequest{Method: "POST", Path: "/cairn.v1." + s.Method(), Body: compact.String()}
	r.header("Content-Type", "application/json")
	return r.Curl()
}

// Curl is the request as a command line of curl.
func (r *HTTPRequest) Curl() string {
	var b strings.Builder
	b.WriteString("curl")
	switch {
	case r.Method == "HEAD":
		b.WriteString(" --head")
	case r.Method == "POST" && r.Body != "", r.Method == "GET":
	default:
		b.WriteString(" -X " + r.Method)
	}
	b.WriteString(" " + shell(exampleEndpoint+r.Path))
	for _, h := range r.Header {
		b.WriteString(" \\\n  -H " + shell(h[0]+": "+h[1]))
	}
	if r.Body != "" {
		b.WriteString(" \\\n  --data-binary " + shell(r.Body))
	}
	return b.String()
}
