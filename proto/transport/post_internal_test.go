package transport

// Silent reports whether a connection is kept on which nothing has come.
func (p *Poster) Silent() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.idle) > 0 && p.idle[0].silent()
}
