package gateway

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// A path that does not end where another begins is one for each of them.
func TestMethodsAllowed(t *testing.T) {
	f := start(t)
	for path, allow := range map[string]string{
		"/v1/keys": "GET, HEAD", "/v1/keys/k": "GET, HEAD, PUT, DELETE", "/v1/increment": "POST",
		"/v1/keyspaces": "GET, HEAD", "/v1/keyspaces/k": "GET, HEAD, PUT, PATCH, DELETE",
		"/v1/keyspaces/k/keys/GET": "GET, HEAD, PUT, DELETE", "/v1/keyspaces/default/txn": "POST",
	} {
		for _, method := range []string{"OPTIONS", "PATCH", "BREW"} {
			if strings.Contains(allow, method) {
				continue
			}
			a := f.do(method, path, "")
			if a.status != 405 || a.header.Get("Allow") != allow || a.reason(t) != "method_not_allowed" {
				t.Errorf("%s %s: %d %v", method, path, a.status, a.header)
			}
		}
	}
	for _, path := range []string{
		"/v1/", "/v1/key", "/v1/increment/", "/v1/batch", "/v1/keyspaces/default/keyspaces",
		"/v1/keyspaces/default/openapi.json", "/v1/keyspaces/default/keyspaces/x/keys/k",
	} {
		if a := f.do("GET", path, ""); a.status != 404 && a.status != 400 || a.body == "" {
			t.Errorf("%s: %+v", path, a)
		}
	}
}

// FuzzKeyPath: the key is what is behind /keys/, unescaped once, as it is sent over HTTP.
func FuzzKeyPath(f *testing.F) {
	for _, key := range []string{
		"a", "a/b", "a//b", "../x", ".", "/", "%2F", "%252F", "a b", "a+b", "?x=1", "#", ";", "\x00", "\xff", "😀",
		"keys/", "a%", "%zz", "/keyspaces/x/keys/y",
	} {
		f.Add(key)
	}
	f.Fuzz(func(t *testing.T, key string) {
		for path, want := range map[string]string{
			"/v1/keys/" + url.PathEscape(key):                                       key,
			"/v1/keyspaces/a.b/keys/" + url.PathEscape(key):                         key,
			"/v1/keys/" + strings.ReplaceAll(url.PathEscape(key), "%2F", "/"):       key,
			"/v1/keys/" + url.PathEscape(url.PathEscape(key)):                       url.PathEscape(key),
			"/v1/keys/" + strings.ReplaceAll(url.PathEscape(key), "%2E", "%2e"):     key,
			"/v1/keys/" + strings.ReplaceAll(url.PathEscape(key), ".", "%2E"):       key,
			"/v1/keyspaces/%61.b/keys/" + url.PathEscape(key) + url.PathEscape("?"): key + "?",
		} {
			r, err := http.NewRequest(http.MethodGet, "http://localhost"+path, nil)
			if err != nil {
				t.Fatal(err)
			}
			got, failed := targetOf(r.URL.EscapedPath())
			if failed != nil || got.path != pathKey || string(got.key) != want {
				t.Errorf("%q is %q of %q, %v", path, got.key, got.path, failed)
			}
			if named := got.keyspace == "a.b"; named != strings.HasPrefix(path, "/v1/keyspaces") {
				t.Errorf("%q is in keyspace %q", path, got.keyspace)
			}
		}
		got, failed := targetOf("/v1/keys/" + key) // whatever a client may send
		want, err := url.PathUnescape(key)
		if (err != nil) != (failed != nil) || err == nil && string(got.key) != want {
			t.Errorf("%q is %q, %v", key, got.key, failed)
		}
	})
}
