package main

import (
	"regexp"
	"strings"
)

// protoFile is what a .proto file declares, with the comments that the generated code leaves out.
type protoFile struct {
	name     string // "kv"
	services []*protoService
	messages []*protoMessage
}

type protoService struct {
	name, about string
	calls       []*protoCall
}

type protoCall struct {
	name, about       string
	request, response string
	stream            bool // of responses
}

// protoMessage is a message or an enum.
type protoMessage struct {
	name, about string
	enum        bool
	fields      []protoField
}

type protoField struct {
	name, kind, about string
	oneof             string // one of which it is
}

var (
	blockLine = regexp.MustCompile(`^(service|message|enum) (\w+) \{(\})?$`)
	callLine  = regexp.MustCompile(`^rpc (\w+)\((?:stream )?(\w+)\) returns \((stream )?(\w+)\)`)
	oneofLine = regexp.MustCompile(`^oneof (\w+) \{$`)
	fieldLine = regexp.MustCompile(`^((?:optional |repeated )?[\w.]+) (\w+) = \d+;$`)
	valueLine = regexp.MustCompile(`^(\w+) = \d+;$`)
)

// parser goes through the lines of a file; the house style has one declaration a line.
type parser struct {
	file    *protoFile
	comment []string
	service *protoService
	message *protoMessage
	oneof   string
	depth   int
}

func parseProto(name, text string) *protoFile {
	p := &parser{file: &protoFile{name: name}}
	for line := range strings.Lines(text) {
		p.line(strings.TrimSpace(line))
	}
	return p.file
}

func (p *parser) line(line string) {
	if comment, ok := strings.CutPrefix(line, "//"); ok {
		if !strings.Contains(comment, "buf:lint:ignore") {
			p.comment = append(p.comment, strings.TrimPrefix(comment, " "))
		}
		return
	}
	about := strings.TrimSpace(strings.Join(p.comment, "\n"))
	p.comment = nil
	switch {
	case line == "":
	case blockLine.MatchString(line):
		p.block(blockLine.FindStringSubmatch(line), about)
	case callLine.MatchString(line):
		m := callLine.FindStringSubmatch(line)
		p.service.calls = append(p.service.calls, &protoCall{
			name: m[1], about: about, request: m[2], stream: m[3] != "", response: m[4],
		})
		p.open(line)
	case oneofLine.MatchString(line):
		p.oneof = oneofLine.FindStringSubmatch(line)[1]
		p.open(line)
	case line == "}":
		p.close()
	default:
		p.field(line, about)
	}
}

func (p *parser) block(m []string, about string) {
	if m[1] == "service" {
		p.service = &protoService{name: m[2], about: about}
		p.file.services = append(p.file.services, p.service)
	} else {
		p.message = &protoMessage{name: m[2], about: about, enum: m[1] == "enum"}
		p.file.messages = append(p.file.messages, p.message)
	}
	if m[3] == "" {
		p.depth++
	}
}

func (p *parser) open(line string) {
	if strings.HasSuffix(line, "{") {
		p.depth++
	}
}

func (p *parser) close() {
	if p.depth--; p.depth == 1 {
		p.oneof = ""
	}
}

func (p *parser) field(line, about string) {
	if p.message == nil || p.depth == 0 {
		return // syntax, package, imports, options
	}
	f := protoField{about: about, oneof: p.oneof}
	if m := fieldLine.FindStringSubmatch(line); m != nil {
		f.kind, f.name = m[1], m[2]
	} else if m := valueLine.FindStringSubmatch(line); m != nil {
		f.name = m[1]
	} else {
		return
	}
	p.message.fields = append(p.message.fields, f)
}
