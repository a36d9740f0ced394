package sim

import (
	"fmt"

	"github.com/cairnkv/cairn/coordinator"
	"github.com/cairnkv/cairn/txn"
)

// runRoom counts a room and takes a place in it if there is one; otherwise it
// may leave one. Of two transactions that take the last place one must lose,
// although neither reads or writes a key that the other writes.
func runRoom(r *runner) error {
	at := r.w.IntN(len(r.w.plan.classics.rooms))
	room := &r.w.plan.classics.rooms[at]
	enter := setOp(pick(r.w.chance, room.slots), txn.IntValue(int64(r.op.ID)))
	if r.w.oneIn(3) {
		enter.TTL = int64(r.w.number(1, pick(r.w.chance, []int{50, 2000})))
	}
	leave := txn.Op{Kind: txn.OpDelete, Key: pick(r.w.chance, room.slots)}
	entered := false
	var err error
	if test, n, ok := r.roomTest(at); ok {
		p := txn.Program{If: test, Then: []txn.Op{enter}}
		if r.w.oneIn(3) { // on another shard, perhaps
			p.Then = append(p.Then, setOp(r.key(), r.value()))
		}
		if r.w.oneIn(2) {
			p.Else = []txn.Op{leave}
		}
		if err = r.execute(p); err == nil {
			if entered = r.op.Program.Result.Succeeded; entered {
				r.w.known.rooms[at] = roomCount{r.op.Program.Result.CommitTS, n + 1}
			}
		}
	} else {
		err = r.interact(coordinator.BeginOptions{}, func(s *session) (err error) {
			n, entered, err = s.enterRoom(room, enter, leave)
			return err
		})
		if err == nil && entered {
			r.w.known.rooms[at] = roomCount{r.op.Txn.Committed.CommitTS, n + 1}
		}
	}
	switch {
	case err == nil && entered:
		r.w.saw("range count: entered")
	case err == nil:
		r.w.saw("range count: full")
	}
	return err
}

// roomTest holds if there is room: by a count, or because nothing has changed
// since there was; n is how many there are at most. In half of all cases there
// is no such test.
func (r *runner) roomTest(at int) (t txn.Test, n int64, ok bool) {
	room := &r.w.plan.classics.rooms[at]
	known := r.w.known.rooms[at]
	switch r.w.IntN(4) {
	case 0:
		t = txn.Test{Kind: txn.TestCount, Span: room.span, Is: txn.Less, N: int64(room.places)}
		return t, t.N - 1, true
	case 1:
		t = txn.Test{Kind: txn.TestUnchanged, Span: room.span, Since: known.at}
		return t, known.n, known.at != 0 && known.n < int64(room.places)
	}
	return t, 0, false
}

func (s *session) enterRoom(room *room, enter, leave txn.Op) (n int64, entered bool, err error) {
	count := txn.Op{Kind: txn.OpRange, Span: room.span, CountOnly: true, Reverse: s.w.oneIn(2)}
	if s.w.oneIn(2) { // enough to know
		count.Limit = room.places
	}
	got, err := s.do(count)
	if err != nil {
		return 0, false, err
	}
	if got.Count >= int64(room.places) {
		_, err = s.do(leave)
		return got.Count, false, err
	}
	_, err = s.do(enter)
	return got.Count, true, err
}

// readRoom reads a room at one moment, and lets others know.
func (r *runner) readRoom() error {
	at := r.w.IntN(len(r.w.plan.classics.rooms))
	room := &r.w.plan.classics.rooms[at]
	err := r.scanAll(coordinator.Scan{Span: room.span, Reverse: r.w.oneIn(2), Limit: r.w.IntN(3)})
	if err != nil {
		return err
	}
	now := roomCount{at: r.op.Scans[0].Page.At}
	for _, s := range r.op.Scans {
		now.n += int64(len(s.Page.Entries))
	}
	r.w.known.rooms[at] = now
	r.w.saw("read together: a room")
	return nil
}

// checkRooms: no room has more entries than places, whenever it is read or
// counted and after every commit.
func checkRooms(h *History) error {
	for i := range h.classics.rooms {
		room := &h.classics.rooms[i]
		for _, op := range h.Ops {
			if n := op.countedIn(room); n > int64(room.places) {
				return violation(fmt.Sprintf("range count: a client was shown %d entries of %v, of which "+
					"there are never more than %d", n, room.span.Start, room.places), op)
			}
		}
		err := h.eachState(room.slots, func(at txn.Timestamp, state []txn.Version) error {
			n := 0
			for i := range state {
				if state[i].TS != 0 {
					n++
				}
			}
			if n > room.places {
				return violation(fmt.Sprintf("range count: at %d %v has %d entries, not %d or less:%s", at,
					room.span.Start, n, room.places, tellState(room.slots, state)))
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// countedIn is the most entries of a room that a committed op was shown.
func (o *Op) countedIn(room *room) int64 {
	var most, pages int64
	if o.Outcome != Committed {
		return 0
	}
	for _, s := range o.Scans {
		for i := 0; s.Page != nil && i < len(s.Page.Entries); i++ {
			if room.span.Contains(s.Page.Entries[i].Key) {
				pages++
			}
		}
	}
	wrote := false
	o.eachStep(func(op *txn.Op, res *txn.Result) {
		if op.Kind == txn.OpRange && op.Span.Start.Compare(room.span.Start) == 0 && !wrote {
			most = max(most, res.Count)
		}
		wrote = wrote || op.Writes()
	})
	return max(most, pages)
}
