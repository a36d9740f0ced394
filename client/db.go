package client

import (
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/cairnkv/cairn/txn"
)

// DefaultKeyspace is where keys live unless Options say otherwise.
const DefaultKeyspace = "default"

// Options are fixed for the life of a DB.
type Options struct {
	// Endpoint is the gateway's base URL, such as http://127.0.0.1:7600. Without a scheme it is
	// http. Required.
	Endpoint string
	// Keyspace of the verbs; empty = "default". See KV.In for another one.
	Keyspace string
	// Unary sends each call as an HTTP request of its own instead of over one stream.
	Unary bool
	// HTTPClient carries everything if it is set; it must speak HTTP/2 for the stream. The default
	// speaks HTTP/2 in clear text to http endpoints, and is closed with the DB.
	HTTPClient *http.Client
	// TLS is for https endpoints; nil = the system's roots. It excludes HTTPClient.
	TLS *tls.Config
	// Principal is who calls, for the History of what is written. It is a note and proves nothing.
	Principal string
	// Token goes with every request as a bearer token. Over http everybody on the way can read it.
	Token string
	// CallAttemptsMax is how often one call is tried while that is safe; 0 = 8, about a second.
	CallAttemptsMax int
	// NoRequestIDs leaves calls that change something without a request_id, unless they bring one.
	// Then one whose answer is lost ends with txn.Unknown at once. With it, which is the default,
	// such a call is repeated under the same request_id until its context is done, and has
	// happened once whatever became of the copies.
	NoRequestIDs bool
	// ResolveMax is how long that goes on where the context has no deadline; 0 = 10 s.
	ResolveMax time.Duration
	// AttemptsMax is how often Update, View and Do run their function; 0 = 50.
	AttemptsMax int
	// LockAfter is after how many conflicts they lock what it touches (TxnOptions.Pessimistic,
	// and Serializable); 0 = 2, negative = never.
	LockAfter int
	// Log gets the few things that no error tells, such as the fall-back to unary calls.
	// Default: nothing is logged.
	Log *slog.Logger
}

const (
	callAttemptsDefault = 8
	attemptsDefault     = 50
	lockAfterDefault    = 2
	resolveDefault      = 10 * time.Second
)

func (o *Options) validate() (*url.URL, error) {
	var errs []error
	endpoint := o.Endpoint
	if endpoint == "" {
		errs = append(errs, errors.New("the endpoint is required"))
	} else if !strings.Contains(endpoint, "://") {
		endpoint = "http://" + endpoint
	}
	base, err := url.Parse(endpoint)
	switch {
	case err != nil:
		errs = append(errs, fmt.Errorf("endpoint: %w", err))
	case endpoint != "" && (base.Scheme != "http" && base.Scheme != "https" || base.Host == ""):
		errs = append(errs, fmt.Errorf("endpoint %q is not http://host:port", o.Endpoint))
	}
	if o.TLS != nil && o.HTTPClient != nil {
		errs = append(errs, errors.New("TLS is the business of the HTTPClient that is given"))
	}
	errs = append(errs, checkHeader("Principal", o.Principal), checkHeader("Token", o.Token))
	if o.CallAttemptsMax < 0 {
		errs = append(errs, fmt.Errorf("CallAttemptsMax %d is negative", o.CallAttemptsMax))
	}
	if o.AttemptsMax < 0 {
		errs = append(errs, fmt.Errorf("AttemptsMax %d is negative", o.AttemptsMax))
	}
	if o.ResolveMax < 0 {
		errs = append(errs, fmt.Errorf("ResolveMax %v is negative", o.ResolveMax))
	}
	if err := errors.Join(errs...); err != nil {
		return nil, &txn.Error{Kind: txn.Invalid, Op: "client.New", Reason: "options", Err: err}
	}
	return base, nil
}

func (o *Options) setDefaults() {
	if o.Keyspace == "" {
		o.Keyspace = DefaultKeyspace
	}
	if o.CallAttemptsMax == 0 {
		o.CallAttemptsMax = callAttemptsDefault
	}
	if o.AttemptsMax == 0 {
		o.AttemptsMax = attemptsDefault
	}
	if o.LockAfter == 0 {
		o.LockAfter = lockAfterDefault
	}
	if o.ResolveMax == 0 {
		o.ResolveMax = resolveDefault
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
}

// DB talks to one gateway. It is safe for concurrent use, and its embedded KV
// is the verbs, each a transaction of its own.
type DB struct {
	KV
	attemptsMax int
	lockAfter   int // negative: never
	close       func()
}

// Dial is New with nothing but an endpoint.
func Dial(endpoint string) (*DB, error) { return New(Options{Endpoint: endpoint}) }

// New makes a DB. It connects with the first call, and again whenever the
// connection is lost. The error is that of the options: txn.Invalid.
func New(o Options) (*DB, error) {
	base, err := o.validate()
	if err != nil {
		return nil, err
	}
	o.setDefaults()
	endpoint := strings.TrimRight(base.String(), "/")
	who := identity{principal: o.Principal, token: o.Token}
	clients := newHTTPClients(base.Scheme, o.HTTPClient, o.TLS)
	one := newUnary(clients.unary, newPosts(base, o.HTTPClient, who), endpoint, who)
	db := &DB{attemptsMax: o.AttemptsMax, lockAfter: o.LockAfter, close: func() {
		one.close()
		clients.close()
	}}
	var carrier caller = one
	if !o.Unary {
		s := newStream(clients, endpoint, who)
		carrier = &fallback{stream: s, unary: one, log: o.Log, endpoint: endpoint}
		rest := db.close
		db.close = func() {
			s.close()
			rest()
		}
	}
	db.KV = KV{
		caller: &repeater{
			next: carrier, host: base.Host, attemptsMax: o.CallAttemptsMax,
			anonymous: o.NoRequestIDs, patience: o.ResolveMax,
		},
		keyspace: o.Keyspace,
	}
	return db, nil
}

// Close ends the connection and waits for all that the DB started. Calls still
// open fail, those that may have changed something with txn.Unknown.
func (db *DB) Close() { db.close() }
