package link

import (
	"runtime"
	"slices"
	"sync"
	"time"
)

// kind of a message. The numbers are on the wire: append, never reorder.
type kind uint8

const (
	kindCall kind = iota + 1
	kindCancel
	kindAnswer
	kindFailure
	kindPost
)

// message is one thing to tell the other side.
type message struct {
	kind     kind
	method   uint8 // of a call or post
	id       uint64
	deadline time.Time // of a call; zero: none
	payload  []byte

	state messageState // guarded by the sender's lock
}

type messageState uint8

const (
	stateQueued messageState = iota
	stateSent
	stateWithdrawn
)

// outbox decides what goes into which frame. It has no lock and no clock of its own.
//
// A frame with messages counts against the window until the other side says that it has taken
// it; that word travels with whatever goes back. Only when the other side's window may be used up
// and there is nothing else to say is it said in a frame of its own, which does not count.
type outbox struct {
	queue     []*message
	withdrawn int // messages of queue
	bytes     int // of payloads in queue
	posts     int // of queue
	postBytes int // of bytes
	flying    int // frames sent and not yet taken by the other side
	owed      int // frames taken of which the other side does not know
	windowOff bool
	// withholds keeps the other side from hearing that its frames were taken while too much of
	// ours waits: so a server slows down whoever does not take its answers, and still reads what
	// has been taken. If both sides did that, each could wait for the other.
	withholds bool
}

// due is how many taken frames the other side may hear of now.
func (o *outbox) due() int {
	if o.withholds && o.bytes > AnswerBytesMax {
		return 0
	}
	return o.owed
}

func (o *outbox) push(m *message) {
	o.queue = append(o.queue, m)
	o.bytes += len(m.payload)
}

// post queues a posted message, unless too many wait.
func (o *outbox) post(m *message) error {
	if o.posts >= PostsMax || o.postBytes+len(m.payload) > PostBytesMax {
		return errPostsFull
	}
	o.posts++
	o.postBytes += len(m.payload)
	o.push(m)
	return nil
}

// withdraw takes back a message; false if it was sent.
func (o *outbox) withdraw(m *message) bool {
	if m.state != stateQueued {
		return false
	}
	m.state = stateWithdrawn
	o.bytes -= len(m.payload)
	if o.withdrawn++; o.withdrawn*2 > len(o.queue) {
		o.queue = slices.DeleteFunc(o.queue, func(m *message) bool {
			return m.state == stateWithdrawn
		})
		o.withdrawn = 0
	}
	return true
}

// ready reports whether a frame could leave now.
func (o *outbox) ready() bool {
	return len(o.queue) > o.withdrawn && (o.flying < FlyingMax || o.windowOff) ||
		o.due() >= FlyingMax
}

// next fills f with what goes into the next frame; false if there is none to send.
func (o *outbox) next(f *outFrame) bool {
	if !o.ready() {
		return false
	}
	if o.flying < FlyingMax || o.windowOff {
		o.fill(f)
	}
	f.taken = o.due()
	o.owed -= f.taken
	return true
}

// fill moves messages from the queue to f.
func (o *outbox) fill(f *outFrame) {
	n, size := 0, 0
	for n < len(o.queue) {
		m := o.queue[n]
		if m.state == stateWithdrawn {
			o.withdrawn--
			n++
			continue
		}
		takes := len(m.payload) + messageBytesMax
		if len(f.messages) > 0 && size+takes > FrameBytesMax {
			break
		}
		size += takes
		o.bytes -= len(m.payload)
		if m.kind == kindPost {
			o.posts--
			o.postBytes -= len(m.payload)
		}
		m.state = stateSent
		f.messages = append(f.messages, m)
		n++
	}
	if o.queue = slices.Delete(o.queue, 0, n); len(f.messages) > 0 {
		o.flying++
	}
}

// wereTaken notes that the other side has taken n more frames.
func (o *outbox) wereTaken(n uint64) error {
	if n > uint64(o.flying) {
		return violation("%d frames were taken, and %d were sent", n, o.flying)
	}
	o.flying -= int(n)
	return nil
}

// take notes that a frame of the other side was taken.
func (o *outbox) take() error {
	if o.owed++; o.owed > FlyingMax {
		return violation("more than %d frames are under way", FlyingMax)
	}
	return nil
}

// sender is an outbox with its lock and the goroutine that empties it.
type sender struct {
	wake  chan struct{} // of one place: there is something to send, or it is all over
	frame outFrame      // that run sends; the next one uses its memory

	mu       sync.Mutex
	out      outbox
	finished bool // nothing will be added any more
}

// run sends frames until finish, and then the rest without regard to the window. A failure ends
// it early. It calls tick, if there is one, once a second, unless a frame takes longer to leave.
func (s *sender) run(w *wire, tick func(now time.Time)) error {
	ticker := time.NewTicker(tickEvery)
	defer ticker.Stop()
	for ticks := 0; ; {
		select {
		case <-s.wake:
			// Whoever can run now may have something to send too: so frames get larger, and fewer.
			runtime.Gosched()
			if finished, err := s.empty(w); finished || err != nil {
				return err
			}
		case now := <-ticker.C:
			if tick != nil {
				tick(now)
			}
			if ticks++; ticks%beatTicks != 0 {
				continue
			}
			if err := w.send(&outFrame{}); err != nil {
				return err
			}
		}
	}
}

// empty sends frames as long as there are any.
func (s *sender) empty(w *wire) (finished bool, err error) {
	for {
		s.mu.Lock()
		some, finished := s.out.next(&s.frame), s.finished
		s.mu.Unlock()
		if !some {
			return finished, nil
		}
		if err := w.send(&s.frame); err != nil {
			return false, err
		}
		clear(s.frame.messages) // the next may be long in coming
		s.frame.messages = s.frame.messages[:0]
	}
}

// finish makes run end once everything is sent.
func (s *sender) finish() {
	s.mu.Lock()
	s.finished, s.out.windowOff = true, true
	s.mu.Unlock()
	signal(s.wake)
}

// poke wakes run if there is something for it. The caller holds the lock.
func (s *sender) poke() {
	if s.out.ready() {
		signal(s.wake)
	}
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
