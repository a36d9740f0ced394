package coordinator

import "time"

// Stage is a part of the way of a commit.
type Stage uint8

// The stages.
const (
	StageOnePhase Stage = iota // all of a commit on one shard
	StageValidate              // what was only read
	StagePrewrite              // until every shard has answered, or one has refused
	StageDecide                // until the record has its word, if that is waited for
	StageResolve               // behind the caller's back: intents become versions
	stageEnd
)

// Stages is how many there are.
const Stages = int(stageEnd)

var stageNames = [...]string{"one_phase", "validate", "prewrite", "decide", "resolve"}

func (s Stage) String() string {
	if s < stageEnd {
		return stageNames[s]
	}
	return "unknown"
}

// Observer is told how transactions fare, for metrics. Its functions do not
// wait; one that is nil is not called.
type Observer struct {
	// Stage of an attempt is over.
	Stage func(stage Stage, took time.Duration)
	// Retried: an attempt was refused for that reason, and another one follows.
	Retried func(reason string)
	// Locked: a call has waited for locks; reason is empty if it got them.
	Locked func(reason string, took time.Duration)
}

// Observe sets who is told from now on.
func (c *Coordinator) Observe(o Observer) { c.observer.Store(&o) }

// stage tells that one which began then is over.
func (c *Coordinator) stage(s Stage, began time.Duration) {
	if o := c.observer.Load(); o != nil && o.Stage != nil {
		o.Stage(s, c.env.Now()-began)
	}
}

func (c *Coordinator) retried(reason string) {
	if o := c.observer.Load(); o != nil && o.Retried != nil {
		o.Retried(reason)
	}
}

func (c *Coordinator) locked(reason string, took time.Duration) {
	if o := c.observer.Load(); o != nil && o.Locked != nil {
		o.Locked(reason, took)
	}
}
