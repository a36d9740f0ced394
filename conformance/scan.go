package conformance

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/cairnkv/cairn/txn"
)

// token is a word of a step, or a literal.
type token struct {
	text   string // as it stands there
	quoted bool
	body   string // of a literal
	tag    string // before its quote: "", "b" or "json"
}

// tokens cuts a line into words, literals, and the signs ( ) [ ] { } ; which stand alone.
func tokens(line string) ([]token, error) {
	var out []token
	for line = strings.TrimSpace(line); line != ""; line = strings.TrimSpace(line) {
		if strings.ContainsRune("()[]{};", rune(line[0])) {
			out, line = append(out, token{text: line[:1]}), line[1:]
			continue
		}
		end := strings.IndexAny(line, " \t()[]{};\"`")
		if end < 0 {
			end = len(line)
		}
		if end == len(line) || line[end] != '"' && line[end] != '`' {
			out, line = append(out, token{text: line[:end]}), line[end:]
			continue
		}
		quote, err := strconv.QuotedPrefix(line[end:])
		if err != nil {
			return nil, fmt.Errorf("%s: %w", line[end:], err)
		}
		body, err := strconv.Unquote(quote)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", quote, err)
		}
		tag := line[:end]
		out = append(out, token{text: tag + quote, quoted: true, body: body, tag: tag})
		line = line[end+len(quote):]
	}
	return out, nil
}

// value is the value that a token stands for; nil if it stands for none.
func (t token) value() *txn.Value {
	if t.quoted {
		return t.literal()
	}
	var v txn.Value
	switch t.text {
	case "true", "false":
		v = txn.BoolValue(t.text == "true")
	case "null":
		v = txn.NullValue()
	case "NaN":
		v = txn.FloatValue(math.NaN())
	case "Infinity":
		v = txn.FloatValue(math.Inf(1))
	case "-Infinity":
		v = txn.FloatValue(math.Inf(-1))
	default:
		return t.number()
	}
	return &v
}

func (t token) literal() *txn.Value {
	var v txn.Value
	switch t.tag {
	case "":
		v = txn.StringValue(t.body)
	case "b":
		v = txn.BytesValue([]byte(t.body))
	case "json":
		v = txn.JSONValue([]byte(t.body))
	default:
		return nil
	}
	return &v
}

// number is an int, a float if it has a point or an exponent, or so many bytes: "bytes:100".
func (t token) number() *txn.Value {
	if size, ok := strings.CutPrefix(t.text, "bytes:"); ok {
		if n, err := strconv.Atoi(size); err == nil {
			v := txn.BytesValue([]byte(strings.Repeat("x", n)))
			return &v
		}
	}
	if n, err := strconv.ParseInt(t.text, 10, 64); err == nil {
		v := txn.IntValue(n)
		return &v
	}
	digit := t.text != "" && (t.text[0] == '-' || t.text[0] >= '0' && t.text[0] <= '9')
	if f, err := strconv.ParseFloat(t.text, 64); err == nil && digit {
		v := txn.FloatValue(f)
		return &v
	}
	return nil
}

// ValueText is how the cases write a value.
func ValueText(v *txn.Value) string {
	if v == nil {
		return "no value"
	}
	data := string(v.Data)
	if len(data) > 64 {
		data = data[:64] + fmt.Sprintf("… (%d bytes)", len(v.Data))
	}
	switch v.Type {
	case txn.Int:
		return strconv.FormatInt(v.Int(), 10)
	case txn.Float:
		return FloatText(v.Float())
	case txn.Bool:
		return strconv.FormatBool(v.Bool())
	case txn.Null:
		return "null"
	case txn.JSON:
		return "json" + strconv.Quote(data)
	case txn.String:
		if utf8.Valid(v.Data) {
			return strconv.Quote(data)
		}
	}
	return "b" + strconv.Quote(data)
}

// FloatText keeps a float a float: 3 is 3.0. NaN and the infinities are JavaScript's words.
func FloatText(f float64) string {
	switch {
	case math.IsNaN(f):
		return "NaN"
	case math.IsInf(f, 1):
		return "Infinity"
	case math.IsInf(f, -1):
		return "-Infinity"
	}
	s := strconv.FormatFloat(f, 'g', -1, 64)
	if !strings.ContainsAny(s, ".e") {
		s += ".0"
	}
	return s
}
