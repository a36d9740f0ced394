package gateway

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/cairnkv/cairn/txn"
)

// jsonTagSuffix tells the tag of a version as JSON from that of its bare value: a strong tag
// belongs to one representation (RFC 9110, 8.8.3).
const jsonTagSuffix = "-json"

// etag names one version for ever: a revision alone may come back in another life of the key.
func etag(revision, commitTS int64, asJSON bool) string {
	suffix := ""
	if asJSON {
		suffix = jsonTagSuffix
	}
	return fmt.Sprintf(`"r%d-%d%s"`, revision, commitTS, suffix)
}

// parsedTag is what a tag of a condition asks for. Without a commit timestamp, any life of the key
// will do, and any representation.
type parsedTag struct {
	revision int64
	commitTS int64 // 0: any
	json     bool  // of the version as JSON
	weak     bool
}

// parseTag reads "r7-<commit_ts>", "r7-<commit_ts>-json" or "r7". ok is false for a tag that was
// never given out here.
func parseTag(s string) (t parsedTag, ok bool) {
	s, t.weak = strings.CutPrefix(s, "W/")
	s, open := strings.CutPrefix(s, `"r`)
	s, closed := strings.CutSuffix(s, `"`)
	if !open || !closed || strings.HasPrefix(s, "+") {
		return t, false
	}
	minus := strings.HasPrefix(s, "-") // of revision -1, which no dash separates from anything
	text, ts, dated := strings.Cut(strings.TrimPrefix(s, "-"), "-")
	var err error
	if t.revision, err = strconv.ParseInt(text, 10, 64); err != nil {
		return t, false
	}
	if minus {
		t.revision = -t.revision
		return t, !dated && t.revision == txn.NoRevision
	}
	if dated {
		ts, t.json = strings.CutSuffix(ts, jsonTagSuffix)
		t.commitTS, err = strconv.ParseInt(ts, 10, 64)
		return t, err == nil && t.commitTS > 0
	}
	return t, true
}

// tagList is the content of an If-Match or If-None-Match header.
type tagList struct {
	any  bool // *
	tags []parsedTag
}

// has reports whether the representation of a version is in the list. Weak tags are equal to
// strong ones where weak comparison is asked for, and to nothing otherwise.
func (l *tagList) has(of parsedTag, weakly bool) bool {
	return l.any || slices.ContainsFunc(l.tags, func(t parsedTag) bool {
		return (weakly || !t.weak) && t.revision == of.revision &&
			(t.commitTS == 0 || t.commitTS == of.commitTS && t.json == of.json)
	})
}

// parseTags reads a condition header, nil if there is none. Tags that were never given out here
// match nothing; what is no tag at all is refused.
func parseTags(h http.Header, name string) (*tagList, *txn.Error) {
	values := h.Values(name)
	if len(values) == 0 {
		return nil, nil
	}
	l := &tagList{}
	rest := strings.Trim(strings.Join(values, ","), " \t")
	if rest == "*" {
		l.any = true
		return l, nil
	}
	found := false
	for rest = strings.TrimLeft(rest, ", \t"); rest != ""; rest = strings.TrimLeft(rest, ", \t") {
		n := tagLength(rest)
		if n == 0 || n < len(rest) && !strings.ContainsRune(", \t", rune(rest[n])) {
			return nil, badRequest("condition_invalid",
				`%s: %s does not begin with an entity tag such as "r7"`, name, rest)
		}
		if t, ok := parseTag(rest[:n]); ok {
			l.tags = append(l.tags, t)
		}
		found, rest = true, rest[n:]
	}
	if !found {
		return nil, badRequest("condition_invalid", "%s is empty", name)
	}
	return l, nil
}

// tagLength is how many bytes the entity tag takes that s begins with, 0 if it is none. What is
// between the quotes may be anything, commas included.
func tagLength(s string) int {
	opaque, _ := strings.CutPrefix(s, "W/")
	if !strings.HasPrefix(opaque, `"`) {
		return 0
	}
	end := strings.IndexByte(opaque[1:], '"')
	if end < 0 {
		return 0
	}
	return len(s) - len(opaque) + 1 + end + 1
}
