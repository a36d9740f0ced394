package demo

import (
	"os"
	"os/exec"
	"slices"
)

// obey does what was typed, and reports whether that is to end.
func (s *supervisor) obey(line string) (quit bool) {
	var names []string
	for _, c := range s.children {
		names = append(names, c.name)
	}
	o, err := parseOrder(line, names)
	if err != nil {
		s.say("%v", err)
		return false
	}
	at := slices.Index(names, o.name)
	switch o.verb {
	case "quit":
		return true
	case "help":
		s.say("%s", usage)
	case "status":
		s.askStatus()
	case "kill", "stop":
		s.end(s.children[at], o.verb == "kill")
	case "restart":
		s.restart(s.children[at])
	}
	return false
}

// end ends a child, at once or in its own time.
func (s *supervisor) end(c *child, atOnce bool) {
	switch {
	case c.process == nil:
		s.say("%s does not run", c.name)
		return
	case atOnce:
		c.process.kill()
	default:
		c.process.stop(s.stopMax)
	}
	c.asked = true
}

// restart starts a child, once it has ended if it runs.
func (s *supervisor) restart(c *child) {
	if c.process != nil {
		c.process.stop(s.stopMax)
		c.again = true
		return
	}
	if err := s.start(c); err != nil {
		s.say("cannot start %s: %v", c.name, err)
		return
	}
	s.say("%s is started, pid %d", c.name, c.process.pid())
}

// askStatus has a gateway's view printed when it is there.
func (s *supervisor) askStatus() {
	address, ok := s.anyGateway()
	switch {
	case !ok:
		s.say("no gateway runs; try restart g1")
		return
	case s.asking:
		s.say("the status is on its way")
		return
	}
	s.asking = true
	cmd := exec.CommandContext(s.ctx, s.exe, "status", "--endpoint", "http://"+address)
	s.tasks.Go(func() {
		out, err := cmd.CombinedOutput()
		if len(out) == 0 && err != nil {
			out = []byte(err.Error() + "\n")
		}
		s.post(event{report: string(out)})
	})
}

// anyGateway is the address of one that runs, a ready one if there is.
func (s *supervisor) anyGateway() (address string, ok bool) {
	for _, c := range s.children {
		if c.gateway && c.process != nil && (c.ready || !ok) {
			address, ok = c.address, true
			if c.ready {
				break
			}
		}
	}
	return address, ok
}

// stopAll ends the gateways and then all members. The signal that patience
// counts down to kills what is left.
func (s *supervisor) stopAll(signals <-chan os.Signal, patience int) {
	for _, gateways := range []bool{true, false} {
		var group []*child
		for _, c := range s.children {
			if c.gateway == gateways && c.process != nil {
				c.process.stop(s.stopMax)
				group = append(group, c)
			}
		}
		for _, c := range group {
			patience = s.awaitEnd(c, signals, patience)
		}
	}
}

func (s *supervisor) awaitEnd(c *child, signals <-chan os.Signal, patience int) int {
	for {
		if patience <= 0 {
			c.process.kill()
		}
		select {
		case <-c.process.done:
			c.process.ended()
			if !c.process.cmd.ProcessState.Success() {
				s.say("%s (pid %d) has ended: %s", c.name, c.process.pid(), c.process.how())
			}
			c.process = nil
			return patience
		case <-signals:
			patience--
		}
	}
}
