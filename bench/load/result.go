package load

import (
	"fmt"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// Result is what came of a run. An operation belongs to it if it ended in the time that counts.
type Result struct {
	Run    Run    `json:"run"`
	System string `json:"system"` // "cairn", "etcd"; who asks for a run puts it in
	Ops    int64  `json:"ops"`    // that ended well
	Errors int64  `json:"errors"`
	Error  string `json:"error,omitempty"` // the first one
	// Unfinished are operations of an open loop that were due and had not ended when the time was
	// up. What they had waited by then is among the latencies: it would have become more.
	Unfinished int64         `json:"unfinished,omitempty"`
	Elapsed    time.Duration `json:"elapsed"`
	// Latencies is an HDR histogram of microseconds, in the compressed form of version 2, in base64.
	// It has Ops+Unfinished values.
	Latencies string  `json:"latencies"`
	Seconds   []int64 `json:"seconds"` // operations that ended well in each second
	// Hole is the longest time in which none ended well, of all callers.
	Hole time.Duration `json:"hole"`
	// LongestSync is the longest that a sync of a small file took meanwhile, on the disk that the
	// system has its data on; 0: not known.
	LongestSync time.Duration `json:"longest_sync,omitempty"`
	// Processes are those of the system, and the one that made the load.
	Processes []Usage `json:"processes"`
}

// Usage is what a process has used during a run.
type Usage struct {
	Role    string        `json:"role"`              // "member", "gateway", "load"
	Name    string        `json:"name"`              // "m1"
	CPU     time.Duration `json:"cpu"`               // of user and system
	Memory  int64         `json:"memory"`            // resident, at the end, bytes
	Written int64         `json:"written,omitempty"` // to disk, bytes
	// Data is the directory of its data; "": not known. It is not part of a result.
	Data string `json:"-"`
	// Over is what it took in the course of the run: when what counts began, every second since
	// then, and at the end.
	Over []Room `json:"over,omitempty"`
}

// Room is what a process takes at a moment.
type Room struct {
	Memory int64 `json:"memory"`         // resident, bytes
	Disk   int64 `json:"disk,omitempty"` // all files of its data, bytes; 0 where it is not known
}

// Histogram decodes Latencies. Histograms of several rounds can be merged; percentiles cannot.
func (r *Result) Histogram() (*hdrhistogram.Histogram, error) {
	h, err := hdrhistogram.Decode([]byte(r.Latencies))
	if err != nil {
		return nil, fmt.Errorf("latencies of %s: %w", r.Run.Workload, err)
	}
	return h, nil
}

const (
	// latencyMax is the longest latency that is told from longer ones.
	latencyMax = 2 * LastMax
	// latencyFigures are the decimal digits to which a latency is exact.
	latencyFigures = 3
)

func newHistogram() *hdrhistogram.Histogram {
	return hdrhistogram.New(1, latencyMax.Microseconds(), latencyFigures)
}

func encode(h *hdrhistogram.Histogram) (string, error) {
	raw, err := h.Encode(hdrhistogram.V2CompressedEncodingCookieBase)
	if err != nil {
		return "", fmt.Errorf("latencies: %w", err)
	}
	return string(raw), nil
}
