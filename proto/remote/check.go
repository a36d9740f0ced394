package remote

import (
	"context"
	"time"

	"github.com/cairnkv/cairn/proto/shardrpc"
)

const (
	// checkTimeout is how long the answer to one check may take.
	checkTimeout = time.Second
	// checkEvery is the pause after a check that failed.
	checkEvery = 50 * time.Millisecond
	// membersEvery is how old the list of the members becomes.
	membersEvery = time.Second
)

// check sees to it that p is asked until it answers, so that calls need not be
// risked on it. The caller was told to by leaders: there is one check at a time.
func (c *Client) check(p *peer) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.closed {
		c.running.Go(func() { c.checkUntil(p) })
	}
}

func (c *Client) checkUntil(p *peer) {
	said := false
	for {
		a := c.leaders.at(p)
		err := c.checkOnce(a)
		lives, over := c.leaders.checked(a, err == nil)
		if c.ctx.Err() != nil {
			return
		}
		if !over && !said {
			m := c.leaders.member(p)
			c.log.Warn("a member does not answer",
				"member", m.ID, "address", m.Address, "error", &noAnswer{err})
			said = true
		}
		if lives && said {
			m := c.leaders.member(p)
			c.log.Info("a member answers again", "member", m.ID, "address", m.Address)
		}
		if over || !c.sleep(checkEvery) {
			return
		}
	}
}

// checkOnce asks for something that every member answers at once.
func (c *Client) checkOnce(a attempt) error {
	ctx, cancel := context.WithTimeout(c.ctx, checkTimeout)
	defer cancel()
	_, err := transmit(ctx, a, shardrpc.MethodRoutes, shardrpc.Encode(&shardrpc.RoutesRequest{}))
	if spoke(err) {
		return nil
	}
	return err
}

// sleep reports false if the client was closed meanwhile.
func (c *Client) sleep(d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-c.ctx.Done():
		return false
	}
}

// watchMembers asks who the members are: at once until one has answered, then
// every now and then. A client that nobody sends elsewhere would never hear of a
// member that took another's place.
func (c *Client) watchMembers() {
	for pause := time.Duration(0); c.sleep(pause); {
		ctx, cancel := context.WithTimeout(c.ctx, checkTimeout)
		_, err := c.Members(ctx)
		cancel()
		if pause = checkEvery; err == nil {
			pause = membersEvery
		}
	}
}
