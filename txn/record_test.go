package txn

import "testing"

// TestMoves is invariant I5, case by case.
func TestMoves(t *testing.T) {
	all := []Status{Absent, Pending, Staging, Committed, Aborted}
	for _, from := range all {
		for _, to := range all {
			want := map[Status]bool{
				Absent: to != Absent, Pending: to.Final(), Staging: to.Final(),
			}[from]
			if from.CanMove(to) != want {
				t.Errorf("%v to %v: %v", from, to, !want)
			}
			r := Record{Status: from, CommitTS: 5, Keys: []Key{k("a")}}
			if r.Move(0, to, 9) || r.Status != from {
				t.Errorf("%v moved to %v outside of its mask", from, to)
			}
			if !want {
				continue
			}
			if !r.Move(In(from), to, 9) || r.Status != to {
				t.Errorf("%v did not move to %v", from, to)
			}
			if (r.CommitTS == 9) != (to == Committed) || (r.Keys == nil) != to.Final() {
				t.Errorf("%v to %v left %+v", from, to, r)
			}
		}
	}
}

func TestRecover(t *testing.T) {
	const base = 100
	const old = base + RecoverAfter + 1
	for _, c := range []struct {
		name   string
		status Status
		now    Timestamp
		floor  Timestamp
		owner  Owner
		want   Verdict
	}{
		{"committed", Committed, old, 0, OwnerGone, VerdictCommitted},
		{"aborted", Aborted, base, 0, OwnerUnknown, VerdictAborted},
		{"young", Pending, base + RecoverAfter, 0, OwnerUnknown, VerdictWait},
		{"young, absent", Absent, base, 0, OwnerUnknown, VerdictWait},
		{"young, owner gone", Pending, base, 0, OwnerGone, VerdictAbort},
		{"old", Pending, old, 0, OwnerUnknown, VerdictAsk},
		{"old, owner at work", Pending, old, 0, OwnerWorking, VerdictWait},
		{"old, owner gone", Pending, old, 0, OwnerGone, VerdictAbort},
		{"old, absent, owner gone", Absent, old, 0, OwnerGone, VerdictAbort},
		{"not yet forsaken", Pending, base + ForsakenAfter, 0, OwnerUnknown, VerdictAsk},
		{"forsaken", Pending, base + ForsakenAfter + 1, 0, OwnerWorking, VerdictAbort},
		{"forsaken, absent", Absent, base + ForsakenAfter + 1, 0, OwnerUnknown, VerdictAbort},
		{"forsaken, collected", Absent, base + ForsakenAfter + 1, base, OwnerUnknown, VerdictGone},
		{"collected", Absent, old, base, OwnerGone, VerdictGone},
		{"pending below the floor", Pending, old, base, OwnerGone, VerdictAbort},
	} {
		r := Record{Status: c.status}
		if got := Recover(&r, base, c.now, c.floor, c.owner); got != c.want {
			t.Errorf("%s: verdict %d, want %d", c.name, got, c.want)
		}
	}
}
