package fault

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestStalls(t *testing.T) {
	var log bytes.Buffer
	s := stalls{log: slog.New(slog.NewTextHandler(&log, nil))}
	synctest.Test(t, func(t *testing.T) {
		stop := make(chan struct{})
		go s.run(stop)
		<-time.After(time.Minute)
		close(stop)
		synctest.Wait()
	})
	if got := time.Duration(s.longest.Load()); got != 0 || log.Len() > 0 {
		t.Errorf("a stall of %v in a process that always ran: %s", got, log.String())
	}
	for _, d := range []time.Duration{150, 700, 300} {
		s.note(d * time.Millisecond)
	}
	if got := time.Duration(s.longest.Load()); got != 700*time.Millisecond {
		t.Errorf("the longest was %v", got)
	}
	if n := strings.Count(log.String(), "did not run"); n != 2 {
		t.Errorf("%d in the log: %s", n, log.String())
	}
}
