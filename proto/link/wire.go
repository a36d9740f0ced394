package link

import (
	"bufio"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"os"
	"slices"
	"sync/atomic"
	"time"
)

// wire carries frames over a connection: the length of each (4 bytes, big-endian), then its bytes.
// The length has a fixed size so that its place can be left free in front of a frame and filled in
// once the frame is encoded: frame and length leave in one write.
//
// One goroutine may send while another receives.
type wire struct {
	conn    net.Conn
	stopped atomic.Bool

	// Of the goroutine that receives.
	in        *bufio.Reader
	trust     int       // bytes of a frame for which there is memory before they come
	readSince time.Time // when the deadline for reading was set

	// Of the goroutine that sends.
	out        []byte    // the frame that was sent last, for its memory
	writeSince time.Time // when the deadline for writing was set
}

// lengthBytes is the size of a frame's length.
const lengthBytes = 4

func newWire(conn net.Conn) *wire {
	w := &wire{conn: conn, trust: readBytes}
	w.in = bufio.NewReaderSize((*silence)(w), readBytes)
	return w
}

// silence reads from a wire's connection, and fails once nothing has come for silenceMax.
type silence wire

// Read implements io.Reader.
func (s *silence) Read(b []byte) (int, error) {
	if now := time.Now(); now.Sub(s.readSince) > renewAfter {
		if err := s.conn.SetReadDeadline(now.Add(silenceMax)); err != nil {
			return 0, err
		}
		s.readSince = now
	}
	if s.stopped.Load() { // after: either this sees it, or stop moves the deadline that was set
		return 0, errStopped
	}
	n, err := s.conn.Read(b)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		err = errSilent
	}
	return n, err
}

// stop makes receive fail, now or when it has used up what came.
func (w *wire) stop() {
	w.stopped.Store(true)
	_ = w.conn.SetReadDeadline(time.Unix(1, 0)) // if this fails there is nothing to stop
}

// send sends a frame.
func (w *wire) send(f *outFrame) error {
	now := time.Now()
	return w.write(f.append(w.begin(f.size()), now), now)
}

// begin is where to append a frame that will not be much longer than size.
func (w *wire) begin(size int) []byte {
	return slices.Grow(w.out[:0], lengthBytes+size)[:lengthBytes]
}

// write sends a frame for which begin made room. Of a large one every part has its time.
func (w *wire) write(b []byte, now time.Time) error {
	binary.BigEndian.PutUint32(b, uint32(len(b)-lengthBytes))
	if w.out = b; cap(b) > writeKeepMax {
		w.out = nil
	}
	for {
		if now.Sub(w.writeSince) > renewAfter {
			if err := w.conn.SetWriteDeadline(now.Add(writeTimeout)); err != nil {
				return err
			}
			w.writeSince = now
		}
		n := min(len(b), writeBytesMax)
		if _, err := w.conn.Write(b[:n]); err != nil {
			return err
		}
		if b = b[n:]; len(b) == 0 {
			return nil
		}
		now = time.Now()
	}
}

// receive waits for the next frame, of at most limit bytes. Whoever gets it owns its memory.
// It fails with errEnded if the other side ended the connection between two frames.
func (w *wire) receive(limit int) (f inFrame, err error) {
	b, err := w.in.Peek(lengthBytes)
	if errors.Is(err, io.EOF) && len(b) == 0 {
		return f, errEnded
	}
	if err != nil {
		return f, err
	}
	n := binary.BigEndian.Uint32(b)
	if uint64(n) > uint64(limit) {
		return f, violation("a frame of %d bytes, the limit is %d", n, limit)
	}
	_, _ = w.in.Discard(lengthBytes) // they are there
	f.b, err = w.read(int(n))
	return f, err
}

// read reads n bytes. It makes room for as many as came in one frame before, and then for more as
// they come.
func (w *wire) read(n int) ([]byte, error) {
	b := make([]byte, min(n, w.trust))
	for have := 0; ; {
		if _, err := io.ReadFull(w.in, b[have:]); err != nil {
			return nil, err
		}
		if have = len(b); have == n {
			w.trust = min(max(w.trust, n), readTrustMax)
			return b, nil
		}
		more := make([]byte, min(n, readTrustGrowth*have))
		copy(more, b)
		b = more
	}
}

// hangUp says that nothing more will come, and waits until the other side has read everything and
// closes too: a connection that is closed while there is something to read may lose what was sent.
// Whoever calls it bounds the time by closing the connection.
func (w *wire) hangUp() {
	defer func() { _ = w.conn.Close() }() // it is over, whatever this says
	half, ok := w.conn.(interface{ CloseWrite() error })
	if !ok || half.CloseWrite() != nil {
		return
	}
	for w.conn.SetReadDeadline(time.Time{}) == nil {
		_, err := io.Copy(io.Discard, w.conn)
		if !errors.Is(err, os.ErrDeadlineExceeded) { // else stop came only now
			return
		}
	}
}
