package cli

import (
	"bytes"
	"encoding/base64"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/cairnkv/cairn/client"
)

// parseItems takes a JSON object of keys and values, or a list of entries as they are printed.
func parseItems(text []byte) ([]client.SetItem, error) {
	if strings.HasPrefix(strings.TrimSpace(string(text)), "[") {
		return parseEntries(text)
	}
	var values map[string]jsontext.Value
	if err := json.Unmarshal(text, &values); err != nil {
		return nil, usagef("that is no JSON object of keys and values: %w", err)
	}
	var items []client.SetItem
	for _, key := range slices.Sorted(maps.Keys(values)) {
		v, err := valueOf(values[key])
		if err != nil {
			return nil, usagef("the value of %s: %w", quoteKey(key), err)
		}
		items = append(items, client.SetItem{Key: key, Value: v})
	}
	if len(items) == 0 {
		return nil, usagef("there are no keys in it")
	}
	return items, nil
}

// valueOf gives a JSON value the type that it looks like.
func valueOf(text jsontext.Value) (client.Value, error) {
	text = bytes.TrimSpace(text)
	switch text[0] {
	case '"':
		var s string
		err := json.Unmarshal(text, &s)
		return client.StringValue(s), err
	case 't', 'f':
		return client.BoolValue(text[0] == 't'), nil
	case 'n':
		return client.NullValue(), nil
	case '{', '[':
		return client.JSONValue(text), nil
	}
	if bytes.ContainsAny(text, ".eE") {
		f, err := strconv.ParseFloat(string(text), 64)
		return client.FloatValue(f), err
	}
	n, err := strconv.ParseInt(string(text), 10, 64)
	return client.IntValue(n), err
}

// printed is an entry as -o json and -o ndjson print it.
type printed struct {
	Key         string         `json:"key"`
	KeyEncoding string         `json:"key_encoding"`
	Type        string         `json:"type"`
	Encoding    string         `json:"encoding"`
	Value       jsontext.Value `json:"value"`
}

func parseEntries(text []byte) ([]client.SetItem, error) {
	var entries []printed
	// JSON that was stored may name a member twice, and comes back as it is.
	if err := json.Unmarshal(text, &entries, jsontext.AllowDuplicateNames(true)); err != nil {
		return nil, usagef("that is no list of entries: %w", err)
	}
	items := make([]client.SetItem, len(entries))
	for i := range entries {
		e := &entries[i]
		key, err := decoded(e.Key, e.KeyEncoding)
		if err == nil {
			items[i].Key = string(key)
			items[i].Value, err = e.value()
		}
		if err != nil {
			return nil, usagef("entry %d: %w", i+1, err)
		}
	}
	if len(items) == 0 {
		return nil, usagef("there are no entries in it")
	}
	return items, nil
}

func decoded(text, encoding string) ([]byte, error) {
	switch encoding {
	case "":
		return []byte(text), nil
	case "base64":
		return base64.StdEncoding.DecodeString(text)
	}
	return nil, usagef("no encoding %q", encoding)
}

func (e *printed) value() (client.Value, error) {
	if len(e.Value) == 0 {
		return client.Value{}, usagef("it has no value")
	}
	if e.Type == "" {
		return valueOf(e.Value)
	}
	t, err := client.ParseType(e.Type)
	if err != nil {
		return client.Value{}, err
	}
	switch t {
	case client.TypeJSON:
		return client.JSONValue(e.Value), nil
	case client.TypeFloat:
		return floatOf(e.Value)
	case client.TypeBytes, client.TypeString:
		var text string
		if err := json.Unmarshal(e.Value, &text); err != nil {
			return client.Value{}, err
		}
		data, err := decoded(text, e.Encoding)
		return client.Value{Type: t, Data: data}, err
	}
	return parseValue(string(e.Value), t)
}

func floatOf(text jsontext.Value) (client.Value, error) {
	var s string
	if json.Unmarshal(text, &s) != nil {
		s = string(text)
	}
	f, err := strconv.ParseFloat(s, 64)
	return client.FloatValue(f), err
}
