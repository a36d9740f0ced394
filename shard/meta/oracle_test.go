package meta

import (
	"testing"
	"time"

	"github.com/cairnkv/cairn/txn"
)

// TestSlowExtensions: on a disk on which an extension takes longer than the window it asks for, only
// the first ones come too late: then there is always room, and timestamps are as late as the clock.
func TestSlowExtensions(t *testing.T) {
	const takes = 1500 * time.Millisecond // longer than Window
	var o Oracle
	now, wall := time.Duration(0), int64(1e15)
	o.Start(txn.Timestamp(wall), txn.Timestamp(wall)+Window, now, wall)
	var asked time.Duration
	var wanted, last txn.Timestamp // of the extension under way
	issued, refused := 0, 0
	for now < time.Minute {
		const step = 10 * time.Millisecond
		now += step
		wall += step.Microseconds()
		if wanted != 0 && now-asked >= takes {
			o.Extend(wanted, now-asked)
			wanted = 0
		}
		first, ok := o.Alloc(3, now, wall)
		switch {
		case !ok && now > 10*time.Second:
			refused++
		case ok && first <= last:
			t.Fatalf("%d was issued after %d", first, last)
		case ok:
			issued++
			last = first + 2
		}
		if limit, wants := o.Wants(now, wall); wants && wanted == 0 {
			asked, wanted = now, limit
		}
	}
	if refused > 0 || issued < 4000 || txn.Timestamp(wall)-last > 100_000 {
		t.Errorf("%d calls were served; of those after ten seconds %d were not; the last was %d behind the clock",
			issued, refused, txn.Timestamp(wall)-last)
	}
}
