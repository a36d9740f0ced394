package cairn

import (
	"errors"
	"fmt"
)

// Kind is what is measured.
type Kind string

// The kinds.
const (
	Embedded Kind = "embedded" // one process with everything in it
	Cluster  Kind = "cluster"  // members and one gateway, each a process
	Target   Kind = "target"   // a gateway that runs already, wherever it is
)

// Options are fixed for the life of a System.
type Options struct {
	Kind Kind `json:"kind"` // required
	// Endpoint of the gateway of a Target, such as http://127.0.0.1:7600.
	Endpoint string `json:"endpoint,omitempty"`
	// Programs is the directory of gateway and shard, as Build leaves them. "": they are built
	// first, from the module that this process was started in.
	Programs string `json:"programs,omitempty"`
	// Dir is where the data is: in a directory of its own, which goes with Close. It decides
	// which disk is measured. "": where temporary files are, which may be memory.
	Dir     string `json:"dir,omitempty"`
	Members int    `json:"members,omitempty"` // of a Cluster: 1, 3 (default) or 5
	// Shards that the keys lie on, 1 to ShardsMax; 0: 4, by the default splits. Of a Target it
	// says how that was started.
	Shards int `json:"shards,omitempty"`
	// MemberFlags and GatewayFlags are added to command lines, such as --pprof or
	// --commit=parallel. An embedded process is a gateway.
	MemberFlags  []string `json:"member_flags,omitempty"`
	GatewayFlags []string `json:"gateway_flags,omitempty"`
}

const membersDefault = 3

func (o *Options) setDefaults() {
	if o.Members == 0 {
		o.Members = membersDefault
	}
	if o.Shards == 0 {
		o.Shards = shardsDefault
	}
}

func (o *Options) validate() error {
	var errs []error
	switch o.Kind {
	case Embedded, Cluster:
		if o.Endpoint != "" {
			errs = append(errs, fmt.Errorf("an endpoint is for %s, not for %s", Target, o.Kind))
		}
	case Target:
		if o.Endpoint == "" {
			errs = append(errs, errors.New("the endpoint of the target is required"))
		}
		if len(o.MemberFlags)+len(o.GatewayFlags) > 0 {
			errs = append(errs, errors.New("flags are for what is started here"))
		}
	default:
		errs = append(errs, fmt.Errorf("kind %q is not %s, %s or %s",
			o.Kind, Embedded, Cluster, Target))
	}
	if o.Members != 1 && o.Members != 3 && o.Members != 5 {
		errs = append(errs, fmt.Errorf("members are 1, 3 or 5, not %d", o.Members))
	}
	if o.Shards < 1 || o.Shards > ShardsMax {
		errs = append(errs, fmt.Errorf("shards are 1 to %d, not %d", ShardsMax, o.Shards))
	}
	return errors.Join(errs...)
}
