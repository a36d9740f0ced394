package remote

// LinkStatus is what is known of a member from here.
type LinkStatus struct {
	ID       uint64 // 0: the cluster does not list it
	Address  string
	Up       bool   // the link is there and the member answers
	Connects uint64 // how often the link came up
	Silences uint64 // how often the member stopped to answer
}

// Links are the members, and whoever else was named at the start; for operators.
func (c *Client) Links() []LinkStatus {
	c.leaders.mu.Lock()
	defer c.leaders.mu.Unlock()
	var all []LinkStatus
	for _, p := range c.leaders.peers {
		_, up := p.link.Peer()
		all = append(all, LinkStatus{ID: p.id, Address: p.address, Up: up && !p.silent && !p.doubted,
			Connects: p.link.Sessions(), Silences: p.silences})
	}
	return all
}
