package gateway

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"

	cairnv1 "github.com/cairnkv/cairn/proto/gen/cairn/v1"
	"github.com/cairnkv/cairn/txn"
)

// etag names one version for ever: a revision alone may come back in another life of the key.
func etag(revision, commitTS int64) string {
	return fmt.Sprintf(`"r%d-%d"`, revision, commitTS)
}

// parsedTag is what a tag of a condition asks for. Without a commit timestamp, any life of the key
// will do.
type parsedTag struct {
	revision int64
	commitTS int64 // 0: any
}

// parseTag reads "r7-<commit_ts>" or "r7". ok is false for a tag that was never given out here.
func parseTag(s string) (t parsedTag, ok bool) {
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
		t.commitTS, err = strconv.ParseInt(ts, 10, 64)
		return t, err == nil && t.commitTS > 0
	}
	return t, true
}

// tagList is the content of an If-None-Match header.
type tagList struct {
	any  bool
	tags []parsedTag
}

// matches reports whether the version is in the list.
func (l *tagList) matches(revision, commitTS int64) bool {
	for _, t := range l.tags {
		if t.revision == revision && (t.commitTS == 0 || t.commitTS == commitTS) {
			return true
		}
	}
	return l.any
}

// ifNoneMatch reads the condition of a GET. Tags of others match nothing, weak ones match like
// strong ones.
func ifNoneMatch(h http.Header) (l tagList, failed *txn.Error) {
	for _, value := range h.Values("If-None-Match") {
		for s := range strings.SplitSeq(value, ",") {
			s = strings.TrimSpace(s)
			if s == "*" {
				l.any = true
				continue
			}
			s = strings.TrimPrefix(s, "W/")
			if len(s) < 2 || s[0] != '"' || s[len(s)-1] != '"' {
				return l, badRequest("condition_invalid", "If-None-Match: %s is no entity tag", s)
			}
			if t, ok := parseTag(s); ok {
				l.tags = append(l.tags, t)
			}
		}
	}
	return l, nil
}

// writeConditions turns the condition headers of a PUT or DELETE into conditions. What is not
// understood is refused: a condition that is passed over would be a write that nobody wanted.
func writeConditions(h http.Header) (*cairnv1.WriteConditions, *txn.Error) {
	for _, name := range []string{"If-Unmodified-Since", "If-Modified-Since", "If-Range"} {
		if h.Get(name) != "" {
			return nil, badRequest("condition_unsupported", "%s is not taken here; use If-Match", name)
		}
	}
	match, none := h.Values("If-Match"), h.Values("If-None-Match")
	if len(match)+len(none) == 0 {
		return nil, nil
	}
	if len(match)+len(none) > 1 {
		return nil, badRequest("conditions_contradict",
			"one If-Match or If-None-Match is taken, and %d are given", len(match)+len(none))
	}
	c := &cairnv1.WriteConditions{}
	if len(none) == 1 {
		if strings.TrimSpace(none[0]) != "*" {
			return nil, badRequest("condition_unsupported",
				"If-None-Match: %s is not taken for a write; If-None-Match: * is", none[0])
		}
		c.IfAbsent = true
		return c, nil
	}
	s := strings.TrimSpace(match[0])
	if s == "*" {
		c.IfPresent = true
		return c, nil
	}
	t, ok := parseTag(s)
	if !ok {
		return nil, badRequest("condition_invalid",
			`If-Match: %s is none of *, "r<revision>" and "r<revision>-<commit_ts>"`, s)
	}
	c.IfRevision = &t.revision
	if t.commitTS != 0 {
		c.IfCommitTs = &t.commitTS
	}
	return c, nil
}
