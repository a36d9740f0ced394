package demo

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/cairnkv/cairn/internal/loopback"
	"github.com/cairnkv/cairn/txn"
)

// Options are what the command line says.
type Options struct {
	Nodes    int    // members: 1, 3 or 5
	Gateways int    // 1 to 9
	Data     string // directory that is kept; empty: a temporary one
	// BasePort is the first gateway's port, and 101 less than the first
	// member's; 0: free ports.
	BasePort int
}

const (
	gatewaysMax = 9
	// memberPorts is how far the ports of members are from those of gateways, so that a base port
	// of 7600 gives the ports that the manual speaks of: 7600, and 7701 to 7703.
	memberPorts = 101
	// placesFile of a kept directory says where its members are, since they find each other there.
	placesFile = "demo.json"
)

func (o *Options) validate() error {
	var errs []error
	if !slices.Contains([]int{1, 3, 5}, o.Nodes) {
		errs = append(errs, fmt.Errorf("--nodes is 1, 3 or 5, not %d", o.Nodes))
	}
	if o.Gateways < 1 || o.Gateways > gatewaysMax {
		errs = append(errs, fmt.Errorf("--gateways is 1 to %d, not %d", gatewaysMax, o.Gateways))
	}
	if last := 65535 - memberPorts - o.Nodes; o.BasePort < 0 || o.BasePort > last {
		errs = append(errs, fmt.Errorf("--base-port is 1 to %d, not %d", last, o.BasePort))
	}
	if err := errors.Join(errs...); err != nil {
		return &txn.Error{Kind: txn.Invalid, Op: "demo.Run", Reason: "options", Err: err}
	}
	return nil
}

// spec is one process of the cluster.
type spec struct {
	name    string // m1, m2 … or g1, g2 …
	gateway bool
	address string
	args    []string
}

// plan is the processes of a cluster whose data is below dir, members first.
func plan(dir string, members, gateways []string) []spec {
	all := strings.Join(members, ",")
	var specs []spec
	for i, address := range members {
		name := "m" + strconv.Itoa(i+1)
		args := []string{"shard", "--listen", address, "--data", filepath.Join(dir, name)}
		if len(members) > 1 { // one alone needs no name and looks for nobody
			args = append(args, "--id", strconv.Itoa(i+1), "--join", all)
		}
		specs = append(specs, spec{name: name, address: address, args: args})
	}
	for i, address := range gateways {
		specs = append(specs, spec{
			name: "g" + strconv.Itoa(i+1), gateway: true, address: address,
			args: []string{"gateway", "--shards", all, "--listen", address},
		})
	}
	return specs
}

// places are the addresses of members and gateways.
func (o *Options) places(dir string) (members, gateways []string, err error) {
	if o.BasePort > 0 {
		members = addresses(o.BasePort+memberPorts, o.Nodes)
		gateways = addresses(o.BasePort, o.Gateways)
	} else {
		free, err := loopback.Free(o.Nodes + o.Gateways)
		if err != nil {
			return nil, nil, err
		}
		members, gateways = free[:o.Nodes], free[o.Nodes:]
	}
	if o.Data != "" {
		members, err = o.keep(filepath.Join(dir, placesFile), members)
	}
	return members, gateways, err
}

func addresses(port, n int) []string {
	var all []string
	for i := range n {
		all = append(all, net.JoinHostPort("127.0.0.1", strconv.Itoa(port+i)))
	}
	return all
}

// keep writes down where the members are, or returns where they are since the
// first start.
func (o *Options) keep(file string, members []string) ([]string, error) {
	old, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return members, writePlaces(file, members)
	}
	if err != nil {
		return nil, err
	}
	var kept struct{ Members []string }
	if err := json.Unmarshal(old, &kept); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	switch {
	case len(kept.Members) != o.Nodes:
		err = fmt.Errorf("%s holds a cluster of %d members, not of %d",
			o.Data, len(kept.Members), o.Nodes)
	case o.BasePort > 0 && !slices.Equal(kept.Members, members):
		err = fmt.Errorf("the members in %s are known as %s", o.Data,
			strings.Join(kept.Members, ","))
	default:
		return kept.Members, nil
	}
	return nil, &txn.Error{Kind: txn.Invalid, Op: "demo.Run", Reason: "data", Err: err,
		Next: "give the --nodes and --base-port of its first start, or another --data"}
}

func writePlaces(file string, members []string) error {
	text, err := json.Marshal(struct {
		Members []string `json:"members"`
	}{members})
	if err != nil {
		return err
	}
	if err := os.WriteFile(file+".new", append(text, '\n'), 0o644); err != nil {
		return err
	}
	return os.Rename(file+".new", file)
}
