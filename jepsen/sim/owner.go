package sim

import (
	"bytes"
	"context"
	"errors"

	"github.com/cairnkv/cairn/internal/env"
	"github.com/cairnkv/cairn/mvcc"
	"github.com/cairnkv/cairn/proto/shardrpc"
	"github.com/cairnkv/cairn/shard"
	"github.com/cairnkv/cairn/txn"
)

// owner is who works on a replica, one thing after the other. In runs with
// failpoints it is a task: it may be held up, or die, between two things, and in
// the middle of one where shard.Replica waits for the state engine. That is how
// there are failpoints inside of Step, which itself never blocks.
type owner struct {
	task    *task
	backlog []func()
	busy    bool
	ended   bool   // the replica cannot go on, and the process ends
	mute    bool   // what the replica says next is lost
	deaf    bool   // so is what the oracle answers next
	term    uint64 // the last one in which it led
}

// own lets the owner do some work: now, or after what it is at.
func (rep *replica) own(work func()) {
	p, o := rep.m.p, &rep.owner
	if p.w.fail == nil {
		work()
		return
	}
	o.backlog = append(o.backlog, work)
	if o.busy {
		return
	}
	o.busy = true
	if o.task == nil {
		o.task = p.task("owner", nil, func() { o.work(p) })
		o.task.owner = true
	}
	o.task.resume()
}

// work is the owner's task.
func (o *owner) work(p *process) {
	for p.alive && !o.ended {
		if len(o.backlog) == 0 {
			o.busy = false
			o.task.park(context.Background())
			continue
		}
		next := o.backlog[0]
		o.backlog = o.backlog[1:]
		next()
	}
}

// aside does what the disk does while the owner goes on.
func (rep *replica) aside(work func()) {
	if rep.m.p.w.fail == nil {
		work()
		return
	}
	t := rep.m.p.task("disk", nil, work)
	t.owner = true
	t.resume()
}

// site is a place of the driver: for the owner of a replica what env.Env.Point is
// for a task of the product. lose loses the answer to the step, and reports
// whether there will be one.
func (rep *replica) site(name string, lose func() bool) error {
	w := rep.m.p.w
	if w.fail == nil {
		return nil
	}
	err := rep.m.p.Point(name)
	if !errors.Is(err, errWordLost) {
		return err
	}
	if !lose() {
		w.fail.rearm(name)
	}
	return nil
}

// failed ends the process: the replica cannot go on.
func (rep *replica) failed(err error) {
	p := rep.m.p
	if !p.alive || errors.Is(err, env.ErrStopped) {
		return
	}
	if !errors.Is(err, errPlanted) {
		p.w.violate("shard %d of %s cannot go on: %w", rep.g.route.Shard, p.name, err)
		return
	}
	rep.owner.ended = true
	p.dieSoon()
}

// goesOn is for sites where an error is one of the disk: it ends the process.
func (rep *replica) goesOn(err error) bool {
	if err != nil {
		rep.failed(err)
	}
	return err == nil
}

// hush loses what the replica says next.
func (rep *replica) hush() bool {
	rep.owner.mute = true
	return true
}

// hushLeader is hush for what only a leader answers.
func (rep *replica) hushLeader() bool { return rep.r.Status().Leader && rep.hush() }

// loseAnswers loses the answers to what is asked on behalf of some transactions.
func (rep *replica) loseAnswers(ids ...txn.ID) bool {
	found := false
	for id, asked := range rep.requests { // order: all of them
		for _, of := range ids {
			if transaction(asked.msg) == of {
				asked.answer = func(any) {}
				rep.requests[id] = asked
				found = true
			}
		}
	}
	return found
}

// transaction is that of a request; 0: none.
func transaction(msg any) txn.ID {
	switch m := msg.(type) {
	case *shardrpc.CommitRequest:
		return m.Txn
	case *shardrpc.PrewriteRequest:
		return m.Txn
	case *shardrpc.DecideRequest:
		return m.Txn
	case *shardrpc.ResolveRequest:
		return m.Txn
	case *shardrpc.QueryRequest:
		return m.Txn
	default:
		return 0
	}
}

// beforeStep is the sites at events, and reports whether the event happens.
func (rep *replica) beforeStep(ev shard.Event) bool {
	if rep.m.p.w.fail == nil {
		return true
	}
	switch ev := ev.(type) {
	case shard.Request:
		q, ok := ev.Msg.(*shardrpc.QueryRequest)
		if !ok {
			return true
		}
		return rep.site("shard.query.before", func() bool { return rep.loseAnswers(q.Txn) }) == nil
	case shard.OwnerSays:
		if ev.Owner != txn.OwnerGone {
			return true
		}
		return rep.site("shard.query.owner-gone", func() bool { return rep.loseAnswers(ev.Txn) }) == nil
	case shard.Appended:
		return rep.goesOn(rep.site("shard.append.after-sync", rep.hush))
	default:
		return true
	}
}

// beforeEffects is the sites at effects, and reports whether they are carried out.
func (rep *replica) beforeEffects(e *shard.Effects) bool {
	if rep.m.p.w.fail == nil {
		return true
	}
	return rep.beforeLeading(e) && rep.beforeSending(e) && rep.beforeAppending(e) && rep.m.p.alive
}

// beforeLeading is the sites of a new leader: elected, and with an entry of its
// term applied, when it must not serve yet (L1).
func (rep *replica) beforeLeading(e *shard.Effects) bool {
	s := rep.r.Status()
	if !s.Leader {
		return true
	}
	if rep.owner.term != s.Term {
		rep.owner.term = s.Term
		if !rep.goesOn(rep.site("shard.leader-change.elected", rep.hush)) {
			return false
		}
	}
	if e.AskOracle == 0 || s.Serving {
		return true
	}
	err := rep.site("shard.leader-change.after-first-entry", func() bool {
		rep.owner.deaf = true
		return true
	})
	if errors.Is(err, errPlanted) { // the oracle cannot be reached
		e.AskOracle = 0
		rep.m.p.start("timestamps", nil, func() { rep.step(shard.Timestamps{}) })
		return true
	}
	return err == nil
}

// beforeSending is the site before messages, and where they are lost if what
// the replica says is to be lost.
func (rep *replica) beforeSending(e *shard.Effects) bool {
	if len(e.Messages) > 0 {
		err := rep.site("shard.send.before", rep.hush)
		if errors.Is(err, errPlanted) { // the connection breaks
			for _, m := range e.Messages {
				to := m.GetTo()
				rep.m.p.w.on(rep.m.p, 0, "unreachable", func() { rep.step(shard.Unreachable{To: to}) })
			}
			e.Messages = nil
		} else if err != nil {
			return false
		}
	}
	if rep.owner.mute && len(e.Messages)+len(e.Replies) > 0 {
		rep.owner.mute = false
		for _, r := range e.Replies {
			delete(rep.requests, r.ID)
		}
		e.Messages, e.Replies = nil, nil
	}
	return true
}

// beforeAppending is the sites between what is proposed and the log.
func (rep *replica) beforeAppending(e *shard.Effects) bool {
	if e.Append == nil || len(e.Append.Entries) == 0 {
		return true
	}
	proposed := map[shard.ProposalKind][]txn.ID{}
	for _, entry := range e.Append.Entries {
		all, err := shard.Proposals(entry)
		if err != nil {
			rep.m.p.w.violate("%s: %w", rep.m.p.name, err)
			return false
		}
		for _, p := range all {
			proposed[p.Kind] = append(proposed[p.Kind], p.Txn)
		}
	}
	after := func(kind shard.ProposalKind, site string) bool {
		ids := proposed[kind]
		if len(ids) == 0 || !rep.r.Status().Leader {
			return true
		}
		return rep.goesOn(rep.site(site, func() bool {
			if kind == shard.ProposalCollect { // nobody asked for it
				return rep.hush()
			}
			return rep.loseAnswers(ids...)
		}))
	}
	return after(shard.ProposalWrite, "shard.write.after-propose") &&
		after(shard.ProposalPrewrite, "shard.prewrite.after-propose") &&
		after(shard.ProposalDecide, "shard.decide.after-propose") &&
		after(shard.ProposalResolve, "shard.resolve.after-propose") &&
		after(shard.ProposalForgo, "shard.forgo.after-propose") &&
		after(shard.ProposalCollect, "shard.collect.after-propose") &&
		after(shard.ProposalMeta, "shard.meta.after-propose") &&
		rep.goesOn(rep.site("shard.append.before-sync", rep.hush))
}

// sites are those inside of Step: where it commits a batch to the state engine.
type sites struct {
	rep       *replica // whose batch it is, once that is known
	resolves  bool     // it ends intents
	decides   bool     // it ends a record
	collects  bool     // it removes one
	committed bool
	err       error // what a site answered
}

// beforeCommit is called with each key of a batch. The shard's state is the last
// one, and behind it the replica takes its mutex.
func (s *sites) beforeCommit(m *member, key []byte) {
	if m.p.w.fail == nil || s.err != nil {
		return
	}
	for _, rep := range m.replicas {
		if bytes.Equal(key, mvcc.ShardStateKey(uint64(rep.g.route.Shard))) {
			s.rep = rep
		}
	}
	if s.rep == nil {
		return
	}
	s.err = s.rep.site("shard.apply.before-batch", s.rep.hushLeader)
	if s.err == nil && s.decides {
		s.err = s.rep.site("shard.decide.apply", s.rep.hushLeader)
	}
	if s.err == nil && s.resolves {
		s.err = s.rep.site("shard.resolve.apply", s.rep.hushLeader)
	}
	if s.err == nil && s.collects {
		s.err = s.rep.site("shard.collect.apply", s.rep.hushLeader)
	}
}

// afterCommit is called when the batch is closed, before anybody is told.
func (s *sites) afterCommit() {
	if s.rep != nil && s.committed {
		s.rep.goesOn(s.rep.site("shard.apply.after-batch", s.rep.hushLeader))
	}
}
