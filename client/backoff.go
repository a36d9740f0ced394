package client

import (
	"context"
	"math/rand/v2"
	"time"
)

const (
	backoffMin = 10 * time.Millisecond
	backoffMax = time.Second
)

// backoff waits before attempt n+1, n from 1: about 10 ms, doubled each time up
// to a second, with jitter so that those who failed together do not come back
// together. It returns early, with the context's error, when ctx is done.
func backoff(ctx context.Context, n int) error {
	d := backoffMax
	if n < 8 {
		d = min(backoffMax, backoffMin<<(n-1))
	}
	timer := time.NewTimer(d/2 + rand.N(d/2))
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
