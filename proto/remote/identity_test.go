package remote

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/cairnkv/cairn/proto/link"
	"github.com/cairnkv/cairn/txn"
)

// meetAll lets processes of these clusters answer side by side.
func meetAll(i *identity, clusters ...string) []error {
	type met struct {
		at  int
		err error
	}
	all := make(chan met)
	for at, cluster := range clusters {
		go func() {
			all <- met{at, i.meet(context.Background(), link.Identity{ClusterID: cluster})}
		}()
	}
	errs := make([]error, len(clusters))
	for range clusters {
		m := <-all
		errs[m.at] = m.err
	}
	return errs
}

func TestIdentity(t *testing.T) {
	stranger := link.Identity{ClusterID: "red"}
	for _, c := range []struct {
		name  string
		seeds int
		first []string
		want  string // what is wrong with all of them
	}{
		{"one", 1, []string{"blue"}, ""},
		{"all the same", 3, []string{"blue", "blue", "blue"}, ""},
		{"one is late", 3, []string{"blue", "blue"}, ""},
		{"two clusters", 3, []string{"blue", "red", "blue"}, `"blue" and "red"`},
		{"two clusters, one is late", 4, []string{"blue", "red", "blue"}, `"blue" and "red"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			i := newIdentity(c.seeds)
			for _, err := range meetAll(i, c.first...) {
				m, ok := errors.AsType[*link.Mismatch](err)
				if ok != (c.want != "") || ok && m.Ours != c.want && m.Ours != `"red" and "blue"` {
					t.Errorf("%v", err)
				}
			}
			if err := i.meet(t.Context(), stranger); err == nil {
				t.Error("a stranger is let in later")
			}
			if err := i.meet(t.Context(), link.Identity{}); err != nil {
				t.Errorf("one without a cluster: %v", err)
			}
		})
	}
}

// A process of another cluster at the address of a member that is down gets no calls, whatever it
// would answer.
func TestStrangerAtAMembersAddress(t *testing.T) {
	f := newFakes(t, 3)
	c := f.dial(t, 1, 2, 3)
	f.knows(t, c)
	if by, err := commit(t.Context(), c); by != 1 || err != nil {
		t.Fatalf("member %d, %v", by, err)
	}
	f.byID[1].stop()
	var asked []uint8
	_, stop := serveAt(t, f.byID[1].address, link.Identity{ClusterID: "another", ID: 1}, func(
		_ context.Context, method uint8, _ []byte,
	) ([]byte, error) {
		asked = append(asked, method)
		return nil, txn.Errorf(txn.Internal, "test", "a stranger was asked")
	})
	defer stop()
	eventually(t, "the status says who it is", func() bool {
		members, err := c.Status(t.Context())
		return err == nil && len(members) == 3 && strings.Contains(members[0].Down, `"another"`)
	})
	f.change(func() { f.leader = 2 })
	eventually(t, "the others serve", func() bool {
		by, _ := commit(t.Context(), c)
		return by == 2
	})
	if len(asked) > 0 {
		t.Errorf("the stranger got calls: %v", asked)
	}
}
