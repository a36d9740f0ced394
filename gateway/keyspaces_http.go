package gateway

import (
	"net/http"

	cairnv1 "github.com/cairnkv/cairn/proto/gen/cairn/v1"
	"github.com/cairnkv/cairn/txn"
)

// keyspaceIn is the options of a keyspace; what is not given has its default, or stays.
type keyspaceIn struct {
	HistoryAgeMs  *int64 `json:"history_age_ms"`
	HistoryCount  *int64 `json:"history_count"`
	DefaultTTLMs  *int64 `json:"default_ttl_ms"`
	ValueBytesMax *int64 `json:"value_bytes_max"`
	BytesMax      *int64 `json:"bytes_max"`
}

// keyspaceOut is a keyspace.
type keyspaceOut struct {
	Name          string `json:"name"`
	HistoryAgeMs  int64  `json:"history_age_ms"`
	HistoryCount  int64  `json:"history_count"`
	DefaultTTLMs  int64  `json:"default_ttl_ms"`
	ValueBytesMax int64  `json:"value_bytes_max"`
	BytesMax      int64  `json:"bytes_max"`
	Deleting      bool   `json:"deleting"`
	Full          bool   `json:"full"`
}

func keyspaceOutOf(k *cairnv1.Keyspace) keyspaceOut {
	return keyspaceOut{
		Name: k.GetName(), HistoryAgeMs: k.GetHistoryAgeMs(), HistoryCount: k.GetHistoryCount(),
		DefaultTTLMs: k.GetDefaultTtlMs(), ValueBytesMax: k.GetValueBytesMax(),
		BytesMax: k.GetBytesMax(), Deleting: k.GetDeleting(), Full: k.GetFull(),
	}
}

// keyspaceStatusOut is a keyspace and what is in it.
type keyspaceStatusOut struct {
	keyspaceOut
	Keys     int64 `json:"keys"`
	Bytes    int64 `json:"bytes"`
	Versions int64 `json:"versions"`
	OldestTS int64 `json:"oldest_ts"`
}

type keyspacesOut struct {
	Keyspaces []keyspaceOut `json:"keyspaces"`
}

type keyspaceDeletedOut struct {
	Deleted bool `json:"deleted"`
}

func (g *Gateway) serveKeyspaces(
	w http.ResponseWriter, r *http.Request, _ *httpTarget,
) *txn.Error {
	resp, failed := call(r.Context(), g, methodListKeyspaces, &cairnv1.ListKeyspacesRequest{},
		(*Gateway).listKeyspaces)
	if failed != nil {
		return failed
	}
	out := &keyspacesOut{Keyspaces: make([]keyspaceOut, len(resp.GetKeyspaces()))}
	for i, k := range resp.GetKeyspaces() {
		out.Keyspaces[i] = keyspaceOutOf(k)
	}
	writeJSON(w, http.StatusOK, out)
	return nil
}

func (g *Gateway) serveKeyspace(
	w http.ResponseWriter, r *http.Request, t *httpTarget,
) *txn.Error {
	resp, failed := call(r.Context(), g, methodGetKeyspace,
		&cairnv1.GetKeyspaceRequest{Name: t.keyspace}, (*Gateway).getKeyspace)
	if failed != nil {
		return failed
	}
	writeJSON(w, http.StatusOK, &keyspaceStatusOut{
		keyspaceOut: keyspaceOutOf(resp.GetKeyspace()),
		Keys:        resp.GetKeys(), Bytes: resp.GetBytes(), Versions: resp.GetVersions(),
		OldestTS: resp.GetOldestTs(),
	})
	return nil
}

func (g *Gateway) serveKeyspacePut(
	w http.ResponseWriter, r *http.Request, t *httpTarget,
) *txn.Error {
	var in keyspaceIn
	if r.ContentLength != 0 { // without a body there are defaults
		if failed := readBody(w, r, &in); failed != nil {
			return failed
		}
	}
	given := func(n *int64) int64 {
		if n == nil {
			return 0
		}
		return *n
	}
	resp, failed := call(r.Context(), g, methodCreateKeyspace, &cairnv1.CreateKeyspaceRequest{
		Keyspace: &cairnv1.Keyspace{
			Name: t.keyspace, HistoryAgeMs: given(in.HistoryAgeMs),
			HistoryCount: given(in.HistoryCount), DefaultTtlMs: given(in.DefaultTTLMs),
			ValueBytesMax: given(in.ValueBytesMax), BytesMax: given(in.BytesMax),
		},
	}, (*Gateway).createKeyspace)
	if failed != nil {
		return failed
	}
	status := http.StatusOK
	if resp.GetCreated() {
		status = http.StatusCreated
	}
	writeJSON(w, status, keyspaceOutOf(resp.GetKeyspace()))
	return nil
}

func (g *Gateway) serveKeyspacePatch(
	w http.ResponseWriter, r *http.Request, t *httpTarget,
) *txn.Error {
	var in keyspaceIn
	if failed := readBody(w, r, &in); failed != nil {
		return failed
	}
	resp, failed := call(r.Context(), g, methodUpdateKeyspace, &cairnv1.UpdateKeyspaceRequest{
		Name: t.keyspace, HistoryAgeMs: in.HistoryAgeMs, HistoryCount: in.HistoryCount,
		DefaultTtlMs: in.DefaultTTLMs, ValueBytesMax: in.ValueBytesMax, BytesMax: in.BytesMax,
	}, (*Gateway).updateKeyspace)
	if failed != nil {
		return failed
	}
	writeJSON(w, http.StatusOK, keyspaceOutOf(resp.GetKeyspace()))
	return nil
}

func (g *Gateway) serveKeyspaceDelete(
	w http.ResponseWriter, r *http.Request, t *httpTarget,
) *txn.Error {
	resp, failed := call(r.Context(), g, methodDeleteKeyspace,
		&cairnv1.DeleteKeyspaceRequest{Name: t.keyspace}, (*Gateway).deleteKeyspace)
	if failed != nil {
		return failed
	}
	status := http.StatusOK
	if !resp.GetDeleted() {
		status = http.StatusNotFound
	}
	writeJSON(w, status, &keyspaceDeletedOut{Deleted: resp.GetDeleted()})
	return nil
}
