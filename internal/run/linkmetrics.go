package run

import (
	"fmt"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/cairnkv/cairn/proto/remote"
)

// linkMetrics are those of a gateway whose members are behind links.
type linkMetrics struct {
	members                *remote.Client
	lease                  *lease
	up, connects, silences *prometheus.Desc
	session, lost          *prometheus.Desc
}

func newLinkMetrics(c *remote.Client, l *lease) *linkMetrics {
	perMember := func(name, help string) *prometheus.Desc {
		return prometheus.NewDesc("cairn_member_"+name, help, []string{"member", "address"}, nil)
	}
	return &linkMetrics{
		members: c, lease: l,
		up:       perMember("up", "1 if the member answers."),
		connects: perMember("connects_total", "How often the link to the member came up."),
		silences: perMember("silences_total", "How often the member stopped to answer."),
		session: prometheus.NewDesc("cairn_session_open",
			"1 if the gateway has a session, without which it serves nobody.", nil, nil),
		lost: prometheus.NewDesc("cairn_sessions_lost_total",
			"Sessions that ended, and their open transactions with them.", nil, nil),
	}
}

// Describe implements prometheus.Collector.
func (m *linkMetrics) Describe(to chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{m.up, m.connects, m.silences, m.session, m.lost} {
		to <- d
	}
}

// Collect implements prometheus.Collector.
func (m *linkMetrics) Collect(to chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, is bool, labels ...string) {
		v := 0.0
		if is {
			v = 1
		}
		to <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	counter := func(d *prometheus.Desc, n uint64, labels ...string) {
		to <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(n), labels...)
	}
	for _, l := range m.members.Links() {
		id := fmt.Sprint(l.ID)
		gauge(m.up, l.Up, id, l.Address)
		counter(m.connects, l.Connects, id, l.Address)
		counter(m.silences, l.Silences, id, l.Address)
	}
	gauge(m.session, m.lease.ready() == nil)
	counter(m.lost, m.lease.lost.Load())
}
