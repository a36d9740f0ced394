package run

import (
	"fmt"
	"net/http"
	"net/http/pprof"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/cairnkv/cairn/proto/link"
)

// newShardPages is what a member serves: the link, and what operators look at.
func newShardPages(s *Shard) (http.Handler, error) {
	registry, m := prometheus.NewRegistry(), s.member
	mux := http.NewServeMux()
	if m != nil {
		if err := registry.Register(newMemberMetrics(m)); err != nil {
			return nil, err
		}
	}
	if s.link != nil {
		mux.Handle(link.Path, s.link)
	}
	mux.Handle("/metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	mux.HandleFunc("/livez", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintln(w, "ok")
	})
	mux.HandleFunc("/readyz", func(w http.ResponseWriter, _ *http.Request) {
		if m == nil {
			http.Error(w, "waiting for the other members", http.StatusServiceUnavailable)
			return
		}
		if err := m.Ready(); err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
			return
		}
		fmt.Fprintln(w, "ok")
	})
	if s.PProf {
		mux.HandleFunc("/debug/pprof/", pprof.Index)
		mux.HandleFunc("/debug/pprof/cmdline", pprof.Cmdline)
		mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
		mux.HandleFunc("/debug/pprof/symbol", pprof.Symbol)
		mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
	}
	return mux, nil
}
