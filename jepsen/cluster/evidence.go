//go:build unix

package cluster

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

const (
	// pageTimeout bounds how long a process takes to show a page.
	pageTimeout = time.Second
	// pageBytesMax bounds the page.
	pageBytesMax = 4 << 20
)

// page gets one of the pages that operators look at, around the links.
func (c *Cluster) page(ctx context.Context, s *server, path string) (int, string, error) {
	ctx, cancel := context.WithTimeout(ctx, pageTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+s.address+path, nil)
	if err != nil {
		return 0, "", err
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return 0, "", err
	}
	defer func() { _ = resp.Body.Close() }() // all was read, or an error says more
	body, err := io.ReadAll(io.LimitReader(resp.Body, pageBytesMax))
	return resp.StatusCode, string(body), err
}

// Log is the file with all that a process and those before it in its place have written. Lines that
// begin with === are ours: when one started and how it ended.
func (c *Cluster) Log(n Node) string {
	s, err := c.server(n)
	if err != nil {
		return ""
	}
	return s.log
}

// Data is the directory of a member; gateways have none.
func (c *Cluster) Data(n Node) string {
	s, err := c.server(n)
	if err != nil {
		return ""
	}
	return s.data
}

// Metric is the value of a metric, summed over its labels.
func (c *Cluster) Metric(ctx context.Context, n Node, name string) (float64, error) {
	s, err := c.server(n)
	if err != nil {
		return 0, err
	}
	status, body, err := c.page(ctx, s, "/metrics")
	if err != nil {
		return 0, fmt.Errorf("metrics of %s: %w", n, err)
	}
	if status != http.StatusOK {
		return 0, fmt.Errorf("metrics of %s: /metrics says %d %.200s", n, status, body)
	}
	sum, ok, err := sumMetric(body, name)
	if err != nil {
		return 0, fmt.Errorf("metrics of %s: %w", n, err)
	}
	if !ok {
		return 0, fmt.Errorf("%s has no metric %s; look at http://%s/metrics", n, name, s.address)
	}
	return sum, nil
}

// sumMetric finds all lines of a metric: its name, then labels if it has them, then the value.
func sumMetric(page, name string) (sum float64, ok bool, err error) {
	for line := range strings.Lines(page) {
		rest, found := strings.CutPrefix(line, name)
		if !found || rest[0] != ' ' && rest[0] != '{' {
			continue
		}
		value := rest[strings.LastIndexByte(strings.TrimSpace(rest), ' ')+1:]
		f, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
		if err != nil {
			return 0, false, fmt.Errorf("%q: %w", line, err)
		}
		sum, ok = sum+f, true
	}
	return sum, ok, nil
}

// Link is what a link has done so far.
func (c *Cluster) Link(from, to Node) LinkState { return c.links.state(pair{from, to}) }
