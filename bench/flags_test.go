package main

import (
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/pflag"

	"github.com/cairnkv/cairn/bench/cairn"
)

func TestUsage(t *testing.T) {
	for args, want := range map[string]string{
		"dance":                            `"dance": run, vs, guard or report`,
		"run fast":                         "0 words besides flags",
		"run --callers 0":                  "--callers 0",
		"--kind castle":                    `--kind "castle"`,
		"--kind target":                    "a target has an address",
		"--procs -1":                       "--procs -1",
		"vs":                               "etcd, nats, redis, postgres",
		"vs excel":                         `vs "excel"`,
		"vs etcd --peer-members 2":         "etcd has [3 1]",
		"vs etcd --peer-sync default":      "not of etcd",
		"vs nats --workload range":         "nats has nothing like it",
		"report":                           "name the results.json",
		"guard --against x --nonsense":     "nonsense",
		"drive --members 0":                "--members 0",
		"--shards-each 1,17":               "--shards 17",
		"vs etcd put":                      "0 words besides flags",
		"run --rate -1 --value-bytes 0":    "--value-bytes 0",
		"run --way carrier --callers 9999": "--way \"carrier\"",
	} {
		command, rest := subcommand(strings.Fields(args))
		code, err := command(t.Context(), rest)
		if code != exitUsage || err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: code %d, %v; want %q", args, code, err, want)
		}
	}
}

// What drive is told must make the same Cairn.
func TestDriveIsToldAll(t *testing.T) {
	for _, o := range []cairn.Options{
		{Kind: cairn.Embedded, Members: 3, Shards: 4},
		{Kind: cairn.Cluster, Members: 5, Shards: 16, Dir: "/somewhere",
			MemberFlags: []string{"--pprof", "--tick=40ms"}, GatewayFlags: []string{"--commit=parallel"}},
		{Kind: cairn.Target, Endpoint: "http://127.0.0.1:1", Members: 3, Shards: 2},
	} {
		args := (&cairnOptions{o}).args()
		if args[0] != "drive" {
			t.Fatalf("%q", args)
		}
		told := &cairnOptions{}
		f := pflag.NewFlagSet("drive", pflag.ContinueOnError)
		told.add(f)
		if err := errors.Join(f.Parse(args[1:]), told.settle(f)); err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(told.Options, o) {
			t.Errorf("%q makes %+v of %+v", args, told.Options, o)
		}
	}
}

// All that a peer measures by default it can, and with so many members as it has.
func TestPeers(t *testing.T) {
	for _, name := range peerNames() {
		p, ok := peers[name]
		if !ok || len(p.nodes) == 0 || len(p.order) == 0 {
			t.Errorf("%s is %+v", name, p)
		}
		for _, w := range p.order {
			if len(p.workloads[w]) == 0 {
				t.Errorf("%s has nothing like %s", name, w)
			}
		}
	}
	if len(peers) != len(peerNames()) {
		t.Errorf("%d peers, named are %v", len(peers), peerNames())
	}
}

func TestCommandOfASide(t *testing.T) {
	s := (&side{program: "/bin/x", args: []string{"drive", "--kind", "embedded"}, dir: "/tree"}).
		named("bench", 2)
	if s.Command != "GOMAXPROCS=2 bench drive --kind embedded" || s.Procs != 2 {
		t.Errorf("command %q", s.Command)
	}
	cmd := s.command()
	if !slices.Contains(cmd.Env, "GOMAXPROCS=2") || cmd.Dir != "/tree" {
		t.Errorf("GOMAXPROCS is not in %v, or the directory is %s", cmd.Env, cmd.Dir)
	}
}
