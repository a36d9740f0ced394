package cli

import (
	"cmp"
	"crypto/tls"
	"crypto/x509"
	"os"

	"github.com/spf13/pflag"

	"github.com/cairnkv/cairn/client"
)

// setting is one thing that flags, the environment or a context say; the first of them that
// does counts, and else the fallback.
type setting struct {
	name     string // of the flag, and in a context
	env      string
	fallback string
	usage    string
	secret   bool
}

// settingList is in the order in which they are shown.
var settingList = []setting{
	{name: "endpoint", env: "CAIRN_ENDPOINT", fallback: defaultEndpoint, usage: "gateway to talk to"},
	{
		name: "keyspace", env: "CAIRN_KEYSPACE", fallback: client.DefaultKeyspace,
		usage: "keyspace of the keys",
	},
	{name: "token", env: "CAIRN_TOKEN", usage: "who you are, to a gateway that asks", secret: true},
	{name: "cacert", env: "CAIRN_CACERT", usage: "PEM file of who signs an https gateway"},
	{name: "principal", env: "CAIRN_PRINCIPAL", usage: "your name in the history of what you write"},
}

// settings are the values that count for a run, and where each is from.
type settings struct {
	values map[string]string
	from   map[string]string
}

func (s *session) settingFlags(f *pflag.FlagSet) {
	for _, one := range settingList {
		usage := one.usage + " (env " + one.env
		if one.fallback != "" {
			usage += "; default " + one.fallback
		}
		f.String(one.name, "", usage+")")
	}
	f.String("context", "", "context whose settings count (env CAIRN_CONTEXT), see cairn help ctx")
	s.flags = f
}

// resolve reads the context that counts, and settles every setting.
func (s *session) resolve() (settings, error) {
	out := settings{values: make(map[string]string), from: make(map[string]string)}
	file, err := s.readContexts()
	if err != nil {
		return out, err
	}
	name := cmp.Or(s.flag("context"), s.main.Getenv("CAIRN_CONTEXT"), file.Current)
	context, ok := file.Contexts[name]
	if !ok && name != "" {
		return out, usagef("no context %q in %s: cairn ctx list", name, s.contextFile())
	}
	for _, one := range settingList {
		value, from := one.fallback, "default"
		switch {
		case s.flags.Changed(one.name):
			value, from = s.flag(one.name), "--"+one.name
		case s.main.Getenv(one.env) != "":
			value, from = s.main.Getenv(one.env), one.env
		case context[one.name] != "":
			value, from = context[one.name], "context "+name
		}
		out.values[one.name], out.from[one.name] = value, from
	}
	return out, nil
}

// flag is the value of a flag of the root; empty if it was not given.
func (s *session) flag(name string) string { return s.flags.Lookup(name).Value.String() }

// options are those of a client.
func (s *session) options() (client.Options, error) {
	all, err := s.resolve()
	if err != nil {
		return client.Options{}, err
	}
	o := client.Options{
		Endpoint: all.values["endpoint"], Keyspace: all.values["keyspace"],
		Token: all.values["token"], Principal: all.values["principal"],
		CallAttemptsMax: callAttemptsMax,
	}
	s.endpoint = o.Endpoint
	if file := all.values["cacert"]; file != "" {
		o.TLS, err = trusting(file)
	}
	return o, err
}

// trusting trusts who is named in a PEM file, and nobody else.
func trusting(file string) (*tls.Config, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(text) {
		return nil, usagef("%s has no certificate in PEM", file)
	}
	return &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}, nil
}
