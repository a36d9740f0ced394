package loopback

import (
	"net"
	"slices"
	"testing"
)

func TestFree(t *testing.T) {
	free, err := freeFrom(portEnd-portMin-2, 4) // begins again at the lowest
	if err != nil || len(free) != 4 || len(slices.Compact(slices.Sorted(slices.Values(free)))) != 4 {
		t.Fatal(free, err)
	}
	l, err := net.Listen("tcp", free[0])
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	again, err := freeFrom(portEnd-portMin-2, 4)
	if err != nil || slices.Contains(again, free[0]) {
		t.Errorf("%s is taken, and %q is free: %v", free[0], again, err)
	}
	if _, err := Free(portEnd - portMin + 1); err == nil {
		t.Error("more addresses than there are")
	}
}
