package gateway

import (
	"errors"
	"runtime"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/cairnkv/cairn/coordinator"
	"github.com/cairnkv/cairn/txn"
)

// Outcomes of transactions, the label of cairn_txn_total.
const (
	outcomeCommitted  = "committed"
	outcomeConflict   = "conflict"
	outcomeUnknown    = "unknown"
	outcomeFailed     = "failed" // for another reason; nothing happened
	outcomeRolledBack = "rolled_back"
	outcomeAbandoned  = "abandoned" // by its client, and rolled back by us
)

// metrics are what /metrics says about the gateway itself.
type metrics struct {
	requests *prometheus.CounterVec   // by method, code
	txns     *prometheus.CounterVec   // by outcome
	retries  *prometheus.CounterVec   // by reason
	stages   *prometheus.HistogramVec // by stage
	locks    *prometheus.HistogramVec // by outcome
	cleared  prometheus.Counter
	passed   prometheus.Counter
	// By method, looked up once.
	ok        [methodEnd]prometheus.Counter
	seconds   [methodEnd]prometheus.Observer
	committed prometheus.Counter
}

func newMetrics(r *prometheus.Registry, version string) (*metrics, error) {
	info := prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "cairn_build_info", Help: "Always 1; the labels say what runs.",
	}, []string{"version", "go_version"})
	info.WithLabelValues(version, runtime.Version()).Set(1)
	seconds := prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "cairn_request_seconds", Help: "How long requests took, by method.",
		Buckets: prometheus.ExponentialBuckets(0.0001, 2.5, 13),
	}, []string{"method"})
	m := &metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "cairn_requests_total", Help: "Requests answered, by method and code.",
		}, []string{"method", "code"}),
		txns: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "cairn_txn_total", Help: "Transactions ended, by outcome.",
		}, []string{"outcome"}),
		retries: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "cairn_txn_retries_total",
			Help: "Times a transaction tried again by itself, by why it had to.",
		}, []string{"reason"}),
		stages: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "cairn_txn_stage_seconds", Help: "How long the stages of commits took.",
			Buckets: prometheus.ExponentialBuckets(0.0001, 2.5, 13),
		}, []string{"stage"}),
		locks: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "cairn_txn_lock_wait_seconds",
			Help:    "How long calls took to get their locks, or to be refused, by what came of it.",
			Buckets: prometheus.ExponentialBuckets(0.0001, 2.5, 13),
		}, []string{"outcome"}),
		cleared: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "cairn_txn_cleared_total",
			Help: "Transactions that a gateway had left behind, and this one finished.",
		}),
		passed: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "cairn_forwarded_total",
			Help: "Calls passed on to the gateway that holds their transaction.",
		}),
	}
	for i := range m.ok {
		name := method(i).String()
		m.ok[i] = m.requests.WithLabelValues(name, "ok")
		m.seconds[i] = seconds.WithLabelValues(name)
	}
	m.committed = m.txns.WithLabelValues(outcomeCommitted)
	var errs []error
	for _, c := range []prometheus.Collector{
		info, seconds, m.requests, m.txns, m.retries, m.stages, m.locks, m.cleared, m.passed,
	} {
		errs = append(errs, r.Register(c))
	}
	return m, errors.Join(errs...)
}

// watch makes m count what c does, and how many transactions are open.
func (m *metrics) watch(r *prometheus.Registry, c *coordinator.Coordinator, open func() int) error {
	var stages [coordinator.Stages]prometheus.Observer
	for s := range stages {
		stages[s] = m.stages.WithLabelValues(coordinator.Stage(s).String())
	}
	c.Observe(coordinator.Observer{
		Stage:   func(s coordinator.Stage, took time.Duration) { stages[s].Observe(took.Seconds()) },
		Retried: func(reason string) { m.retries.WithLabelValues(reason).Inc() },
		Locked: func(reason string, took time.Duration) {
			if reason == "" {
				reason = "granted"
			}
			m.locks.WithLabelValues(reason).Observe(took.Seconds())
		},
	})
	return r.Register(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "cairn_txn_open", Help: "Transactions that clients have open.",
	}, func() float64 { return float64(open()) }))
}

func (m *metrics) observe(method method, took time.Duration, err *txn.Error) {
	m.seconds[method].Observe(took.Seconds())
	if err == nil {
		m.ok[method].Inc()
		return
	}
	m.requests.WithLabelValues(method.String(), classOf(err.Kind).code.String()).Inc()
}

// countTxn counts a transaction that was to commit, and has unless err says otherwise.
func (m *metrics) countTxn(err error) {
	if err == nil {
		m.committed.Inc()
		return
	}
	outcome := outcomeFailed
	switch classify(err, true).Kind {
	case txn.Conflict, txn.Wounded:
		outcome = outcomeConflict
	case txn.Unknown:
		outcome = outcomeUnknown
	}
	m.txns.WithLabelValues(outcome).Inc()
}
