package demo

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/cairnkv/cairn/txn"
)

func TestPlan(t *testing.T) {
	members := []string{"127.0.0.1:7701", "127.0.0.1:7702", "127.0.0.1:7703"}
	var got []string
	for _, s := range plan("/d", members, []string{"127.0.0.1:7600", "127.0.0.1:7601"}) {
		got = append(got, s.name+" "+s.address+" "+strings.Join(s.args, " "))
	}
	const all = "127.0.0.1:7701,127.0.0.1:7702,127.0.0.1:7703"
	want := []string{
		"m1 127.0.0.1:7701 shard --listen 127.0.0.1:7701 --data /d/m1 --id 1 --join " + all,
		"m2 127.0.0.1:7702 shard --listen 127.0.0.1:7702 --data /d/m2 --id 2 --join " + all,
		"m3 127.0.0.1:7703 shard --listen 127.0.0.1:7703 --data /d/m3 --id 3 --join " + all,
		"g1 127.0.0.1:7600 gateway --shards " + all + " --listen 127.0.0.1:7600",
		"g2 127.0.0.1:7601 gateway --shards " + all + " --listen 127.0.0.1:7601",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s", strings.Join(got, "\n"))
	}
	one := plan("/d", members[:1], members[1:2])[0]
	if slices.Contains(one.args, "--join") || slices.Contains(one.args, "--id") {
		t.Errorf("a member alone: %v", one.args)
	}
}

func TestPlaces(t *testing.T) {
	o := Options{Nodes: 3, Gateways: 2, BasePort: 7600}
	members, gateways, err := o.places(t.TempDir())
	if err != nil || !slices.Equal(members, []string{"127.0.0.1:7701", "127.0.0.1:7702", "127.0.0.1:7703"}) ||
		!slices.Equal(gateways, []string{"127.0.0.1:7600", "127.0.0.1:7601"}) {
		t.Errorf("%v %v %v", members, gateways, err)
	}
	o.BasePort = 0
	if members, gateways, err = o.places(t.TempDir()); err != nil {
		t.Fatal(err)
	}
	all := slices.Sorted(slices.Values(slices.Concat(members, gateways)))
	if len(slices.Compact(all)) != 5 {
		t.Errorf("%v %v are not five addresses", members, gateways)
	}
}

// A directory that is kept also keeps the addresses of its members.
func TestPlacesAreKept(t *testing.T) {
	dir := t.TempDir()
	o := Options{Nodes: 3, Gateways: 1, Data: dir}
	first, _, err := o.places(dir)
	if err != nil {
		t.Fatal(err)
	}
	again, _, err := o.places(dir)
	if err != nil || !slices.Equal(first, again) {
		t.Errorf("%v, then %v, %v", first, again, err)
	}
	for _, c := range []struct {
		o    Options
		want string
	}{
		{Options{Nodes: 1, Gateways: 1, Data: dir}, "holds a cluster of 3 members, not of 1"},
		{Options{Nodes: 3, Gateways: 1, Data: dir, BasePort: 7600}, "are known as " + first[0]},
	} {
		_, _, err := c.o.places(dir)
		if txn.KindOf(err) != txn.Invalid || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: %v", c.o, err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, placesFile), []byte("{"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, _, err := o.places(dir); err == nil {
		t.Error("a broken file was believed")
	}
}

func TestOptions(t *testing.T) {
	for _, o := range []Options{
		{Nodes: 2, Gateways: 1}, {Nodes: 0, Gateways: 1}, {Nodes: 3}, {Nodes: 3, Gateways: 10},
		{Nodes: 3, Gateways: 1, BasePort: -1}, {Nodes: 3, Gateways: 1, BasePort: 65500},
	} {
		if err := o.validate(); txn.KindOf(err) != txn.Invalid {
			t.Errorf("%+v: %v", o, err)
		}
	}
	for _, nodes := range []int{1, 3, 5} {
		o := Options{Nodes: nodes, Gateways: 9, BasePort: 65000}
		if err := o.validate(); err != nil {
			t.Errorf("%+v: %v", o, err)
		}
	}
}

func TestParseOrder(t *testing.T) {
	names := []string{"m1", "m2", "g1"}
	for line, want := range map[string]order{
		"": {}, "  ": {}, "status": {"status", ""}, "help": {"help", ""}, " quit ": {"quit", ""},
		"kill m1": {"kill", "m1"}, "stop 2": {"stop", "m2"}, "restart  g1": {"restart", "g1"},
	} {
		if got, err := parseOrder(line, names); err != nil || got != want {
			t.Errorf("%q: %+v %v", line, got, err)
		}
	}
	for line, want := range map[string]string{
		"frob": `no command "frob"`, "kill": "one name: m1, m2, g1", "kill m1 m2": "one name",
		"stop m3": "no m3", "restart 7": "no 7", "status m1": "takes no name", "quit now": "takes no name",
	} {
		if got, err := parseOrder(line, names); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %+v %v", line, got, err)
		}
	}
}
