package cell

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/cairnkv/cairn/jepsen/check"
	"github.com/cairnkv/cairn/jepsen/history"
	"github.com/cairnkv/cairn/jepsen/timeline"
)

const (
	timelineFile = "timeline.svg"
	gapLeast     = time.Second // between two commits of a shard, to be drawn
)

// draw leaves timeline.svg: what was committed, and when what went wrong.
func (r *run) draw(h *check.History) error {
	t := timeline.Timeline{Title: r.v.Plan.String(), Length: r.end}
	for i := range h.Ops {
		if o := &h.Ops[i]; o.Ended > 0 {
			t.Ops = append(t.Ops, timeline.Op{End: time.Duration(o.Ended),
				Took: time.Duration(o.Ended - o.Began), Outcome: outcomes[o.Type]})
		}
	}
	for _, res := range r.v.Rounds {
		t.Faults = append(t.Faults, timeline.Fault{Name: res.Round.String(),
			From: time.Duration(res.Began), To: time.Duration(res.Healed)})
	}
	gaps := r.probes.gaps(gapLeast)
	for _, shard := range probedShards {
		name := fmt.Sprint("shard ", shard.id)
		t.Shards = append(t.Shards, name)
		for _, g := range gaps[shard.id] {
			t.Gaps = append(t.Gaps, timeline.Gap{Shard: name, From: g.from, To: g.to})
		}
	}
	f, err := os.Create(filepath.Join(r.o.Dir, timelineFile))
	if err != nil {
		return err
	}
	return errors.Join(timeline.Draw(f, t), f.Close())
}

var outcomes = map[history.Type]timeline.Outcome{
	history.OK: timeline.OK, history.Fail: timeline.Failed, history.Info: timeline.Info,
}
