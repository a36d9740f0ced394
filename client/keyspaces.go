package client

import (
	"context"
	"time"

	"google.golang.org/protobuf/proto"

	cairnv1 "github.com/cairnkv/cairn/proto/gen/cairn/v1"
)

// KeyspaceOptions are what can be chosen for a keyspace. Zero is the default.
type KeyspaceOptions struct {
	HistoryAge    time.Duration // what is younger is kept whole: 10 minutes or more
	HistoryCount  int64         // of what is older, so many versions of a key: 16
	DefaultTTL    time.Duration // of a set without one of its own; none
	ValueBytesMax int64         // 4,000,000
	BytesMax      int64         // of keys and values, all versions; no limit
}

// KeyspaceUpdate is the options to change; nil: as it is.
type KeyspaceUpdate struct {
	HistoryAge    *time.Duration
	HistoryCount  *int64
	DefaultTTL    *time.Duration
	ValueBytesMax *int64
	BytesMax      *int64
}

// Keyspace is a named set of keys.
type Keyspace struct {
	Name string
	KeyspaceOptions
	Deleting bool // its deletion has begun
	Full     bool // it has reached BytesMax: only deletes are accepted
}

// KeyspaceStatus is a keyspace and what is in it; the numbers are estimates.
type KeyspaceStatus struct {
	Keyspace
	Keys     int64     // that exist
	Bytes    int64     // of keys and values, all versions
	Versions int64     // that are kept
	Oldest   Timestamp // that can still be read
}

// CreateKeyspace makes a keyspace. One that is there already with the same options is
// no error, and then created is false.
func (db *DB) CreateKeyspace(
	ctx context.Context, name string, o KeyspaceOptions,
) (ks Keyspace, created bool, err error) {
	res := &cairnv1.CreateKeyspaceResponse{}
	err = db.keyspaceCall(ctx, cairnv1.Method_METHOD_KEYSPACE_CREATE,
		&cairnv1.CreateKeyspaceRequest{Keyspace: &cairnv1.Keyspace{
			Name: name, HistoryAgeMs: o.HistoryAge.Milliseconds(), HistoryCount: o.HistoryCount,
			DefaultTtlMs: o.DefaultTTL.Milliseconds(), ValueBytesMax: o.ValueBytesMax,
			BytesMax: o.BytesMax,
		}}, res)
	return keyspaceOf(res.Keyspace), res.Created, err
}

// UpdateKeyspace changes options of a keyspace. What is written already stays.
func (db *DB) UpdateKeyspace(
	ctx context.Context, name string, u KeyspaceUpdate,
) (Keyspace, error) {
	ms := func(d *time.Duration) *int64 {
		if d == nil {
			return nil
		}
		n := d.Milliseconds()
		return &n
	}
	res := &cairnv1.UpdateKeyspaceResponse{}
	err := db.keyspaceCall(ctx, cairnv1.Method_METHOD_KEYSPACE_UPDATE,
		&cairnv1.UpdateKeyspaceRequest{
			Name: name, HistoryAgeMs: ms(u.HistoryAge), HistoryCount: u.HistoryCount,
			DefaultTtlMs: ms(u.DefaultTTL), ValueBytesMax: u.ValueBytesMax, BytesMax: u.BytesMax,
		}, res)
	return keyspaceOf(res.Keyspace), err
}

// DeleteKeyspace removes a keyspace with all that is in it, for good. It takes a second or
// more; after an error the deletion may go on, and the call may be made again. deleted is
// false if there was none.
func (db *DB) DeleteKeyspace(ctx context.Context, name string) (deleted bool, err error) {
	res := &cairnv1.DeleteKeyspaceResponse{}
	err = db.keyspaceCall(ctx, cairnv1.Method_METHOD_KEYSPACE_DELETE,
		&cairnv1.DeleteKeyspaceRequest{Name: name}, res)
	return res.Deleted, err
}

// Keyspaces lists all keyspaces by name.
func (db *DB) Keyspaces(ctx context.Context) ([]Keyspace, error) {
	res := &cairnv1.ListKeyspacesResponse{}
	err := db.keyspaceCall(ctx, cairnv1.Method_METHOD_KEYSPACE_LIST,
		&cairnv1.ListKeyspacesRequest{}, res)
	var all []Keyspace
	for _, w := range res.Keyspaces {
		all = append(all, keyspaceOf(w))
	}
	return all, err
}

// Keyspace tells what is in a keyspace; no name is the DB's own.
func (db *DB) Keyspace(ctx context.Context, name string) (KeyspaceStatus, error) {
	if name == "" {
		name = db.keyspace
	}
	res := &cairnv1.GetKeyspaceResponse{}
	err := db.keyspaceCall(ctx, cairnv1.Method_METHOD_KEYSPACE_GET,
		&cairnv1.GetKeyspaceRequest{Name: name}, res)
	return KeyspaceStatus{Keyspace: keyspaceOf(res.Keyspace), Keys: res.Keys, Bytes: res.Bytes,
		Versions: res.Versions, Oldest: Timestamp(res.OldestTs)}, err
}

// keyspaceCall fills res. Every one of these calls may be made twice: what is so already
// is changed no more.
func (db *DB) keyspaceCall(
	ctx context.Context, m cairnv1.Method, req, res proto.Message,
) error {
	c := &call{method: m, req: req, res: res.ProtoReflect().New().Interface()}
	if err := db.do(ctx, c); err != nil {
		return err
	}
	proto.Merge(res, c.res)
	return nil
}

func keyspaceOf(w *cairnv1.Keyspace) Keyspace {
	ms := func(n int64) time.Duration { return time.Duration(n) * time.Millisecond }
	return Keyspace{
		Name: w.GetName(), Deleting: w.GetDeleting(), Full: w.GetFull(),
		KeyspaceOptions: KeyspaceOptions{
			HistoryAge: ms(w.GetHistoryAgeMs()), HistoryCount: w.GetHistoryCount(),
			DefaultTTL: ms(w.GetDefaultTtlMs()), ValueBytesMax: w.GetValueBytesMax(),
			BytesMax: w.GetBytesMax(),
		},
	}
}
