//go:build unix

package cluster

import (
	"context"
	"fmt"
	"slices"
	"strconv"
)

// Replace starts a new member, with a new directory and the next id, in the place of one that is
// down, and returns when it is in its place.
func (c *Cluster) Replace(ctx context.Context, lost Node) (Node, error) {
	if up, _ := c.Running(lost); up {
		return "", fmt.Errorf("%s runs: only a member that is down can be replaced", lost)
	}
	n, err := c.enlist(lost)
	if err != nil {
		return "", err
	}
	if err := c.start(c.servers[n]); err != nil {
		return n, err
	}
	if err := c.AwaitHealthy(ctx); err != nil {
		return n, fmt.Errorf("%s is not in the place of %s: %w", n, lost, err)
	}
	return n, nil
}

// enlist makes the next member one of those that there are, instead of the lost one.
func (c *Cluster) enlist(lost Node) (Node, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	i := slices.Index(c.members, lost)
	if i < 0 {
		return "", fmt.Errorf("%s is no member of the cluster: its members are %v", lost, c.members)
	}
	n := member(c.next)
	s := c.servers[n]
	if s == nil {
		return "", fmt.Errorf("%d members were replaced, and there are links for no more", sparesMax)
	}
	c.next++
	c.members = append(slices.Delete(slices.Clone(c.members), i, i+1), n)
	living := c.members[:len(c.members)-1]
	s.args = []string{"--id", strconv.FormatUint(n.ID(), 10), "--join", c.addresses(living),
		"--replace", strconv.FormatUint(lost.ID(), 10)}
	return n, nil
}
