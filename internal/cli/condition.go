package cli

import (
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/cairnkv/cairn/client"
)

// testText is a condition of a transaction under its name.
type testText struct {
	Compare   jsontext.Value `json:"compare"`
	Count     jsontext.Value `json:"count"`
	Unchanged jsontext.Value `json:"unchanged"`
	All       *[]testText    `json:"all"`
	Any       *[]testText    `json:"any"`
	Not       *testText      `json:"not"`
}

func (t *testText) condition() (c client.Condition, err error) {
	given := 0
	for _, one := range []bool{
		t.Compare != nil, t.Count != nil, t.Unchanged != nil, t.All != nil, t.Any != nil, t.Not != nil,
	} {
		if one {
			given++
		}
	}
	if given != 1 {
		return c, usagef("a condition is exactly one of compare, count, unchanged, all, any, not")
	}
	switch {
	case t.Compare != nil:
		return compareText(t.Compare)
	case t.Count != nil:
		return countText(t.Count)
	case t.Unchanged != nil:
		return unchangedText(t.Unchanged)
	case t.All != nil:
		all, err := conditionList(*t.All)
		return client.AllOf(all...), err
	case t.Any != nil:
		some, err := conditionList(*t.Any)
		return client.AnyOf(some...), err
	}
	c, err = t.Not.condition()
	return client.Not(c), err
}

func conditionList(in []testText) ([]client.Condition, error) {
	out := make([]client.Condition, len(in))
	for i := range in {
		var err error
		if out[i], err = in[i].condition(); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// relations are the names of comparisons; none is equal.
var relations = map[string]client.Is{
	"": client.Equal, "equal": client.Equal, "not_equal": client.NotEqual,
	"less": client.Less, "less_or_equal": client.LessOrEqual,
	"greater": client.Greater, "greater_or_equal": client.GreaterOrEqual,
}

func relation(name string) (client.Is, error) {
	is, ok := relations[name]
	if !ok {
		return is, usagef("op %q is none of equal, not_equal, less, less_or_equal, greater, "+
			"greater_or_equal", name)
	}
	return is, nil
}

type compareIn struct {
	keyText
	valueIn
	Op       string `json:"op"`
	Revision *int64 `json:"revision"`
	CommitTS *int64 `json:"commit_ts"`
	CreateTS *int64 `json:"create_ts"`
	Exists   *bool  `json:"exists"`
}

func compareText(text []byte) (c client.Condition, err error) {
	var in compareIn
	if err := strictly(text, &in); err != nil {
		return c, err
	}
	key, err := in.bytes()
	if err != nil {
		return c, err
	}
	is, err := relation(in.Op)
	if err != nil {
		return c, err
	}
	given := 0
	if in.Value != nil {
		given++
		v, err := in.value()
		if err != nil {
			return c, err
		}
		c = client.ValueIs(key, is, v)
	}
	if in.Revision != nil {
		given++
		c = client.RevisionIs(key, is, *in.Revision)
	}
	if in.CommitTS != nil {
		given++
		c = client.CommitTSIs(key, is, client.Timestamp(*in.CommitTS))
	}
	if in.CreateTS != nil {
		given++
		c = client.CreateTSIs(key, is, client.Timestamp(*in.CreateTS))
	}
	if in.Exists != nil {
		given++
		if c = client.KeyExists(key); *in.Exists != (is == client.Equal) {
			c = client.Not(c)
		}
		if is != client.Equal && is != client.NotEqual {
			return c, usagef("exists is equal or not_equal")
		}
	}
	if given != 1 {
		return c, usagef("a comparison is with exactly one of value, revision, commit_ts, create_ts " +
			"and exists")
	}
	return c, nil
}

func countText(text []byte) (c client.Condition, err error) {
	var in struct {
		selectText
		Op string `json:"op"`
		N  int64  `json:"n"`
	}
	if err := strictly(text, &in); err != nil {
		return c, err
	}
	is, err := relation(in.Op)
	if err != nil {
		return c, err
	}
	r, _, err := in.keys()
	return client.CountIs(r, is, in.N), err
}

func unchangedText(text []byte) (c client.Condition, err error) {
	var in struct {
		selectText
		Since jsontext.Value `json:"since"`
	}
	if err := strictly(text, &in); err != nil {
		return c, err
	}
	r, _, err := in.keys()
	if err != nil {
		return c, err
	}
	at, err := parseTime(strings.Trim(string(in.Since), `"`), time.Now())
	return client.UnchangedSince(r, at), err
}
