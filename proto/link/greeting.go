package link

import (
	"bytes"
	"encoding/binary"
	"strconv"
	"time"

	"github.com/cairnkv/cairn/proto/fields"
)

// Identity says who a process is.
type Identity struct {
	ClusterID string // empty: not known yet, and then any will do
	ID        uint64 // of the member; 0: not a member
	Address   string // where other members reach it; empty: not a member, or nobody does
	// Terms are what members must agree on, as "tick 40ms"; empty: not a member.
	Terms string
}

const magic = "cairn link\n"

// greeting is the first frame that each side sends: a magic string and a version, which stay
// where they are in every version, then what this version has to say.
type greeting struct {
	version uint64
	Identity
}

func (g *greeting) append(dst []byte) []byte {
	dst = binary.AppendUvarint(append(dst, magic...), g.version)
	dst = binary.AppendUvarint(fields.AppendBytes(dst, g.ClusterID), g.ID)
	return fields.AppendBytes(fields.AppendBytes(dst, g.Address), g.Terms)
}

// read stops after a version that is not ours.
func (g *greeting) read(f *inFrame) (err error) {
	rest, ok := bytes.CutPrefix(f.b, []byte(magic))
	if !ok {
		return violation("the other side does not speak this protocol")
	}
	f.b = rest
	if g.version, err = f.uvarint(); err != nil || g.version != Version {
		return err
	}
	if g.ClusterID, err = f.name("a cluster"); err != nil {
		return err
	}
	if g.ID, err = f.uvarint(); err != nil {
		return err
	}
	if g.Address, err = f.name("an address"); err != nil {
		return err
	}
	if g.Terms, err = f.name("terms"); err == nil && len(f.b) > 0 {
		err = violation("a greeting has %d bytes left over", len(f.b))
	}
	return err
}

// name reads a short text.
func (f *inFrame) name(what string) (string, error) {
	n, err := f.uvarint()
	if err != nil {
		return "", err
	}
	if n > min(nameBytesMax, uint64(len(f.b))) {
		return "", violation("a greeting names %s by %d bytes", what, n)
	}
	name := string(f.b[:n])
	f.b = f.b[n:]
	return name, nil
}

// check compares the other side's greeting with who we are and whom we want (0: anyone).
func (g *greeting) check(self Identity, want uint64) error {
	switch {
	case g.version != Version:
		return &Mismatch{
			"protocol version", strconv.Itoa(Version), strconv.FormatUint(g.version, 10),
		}
	case g.ClusterID != self.ClusterID && g.ClusterID != "" && self.ClusterID != "":
		return &Mismatch{"cluster", strconv.Quote(self.ClusterID), strconv.Quote(g.ClusterID)}
	case g.Terms != self.Terms && g.Terms != "" && self.Terms != "":
		return &Mismatch{"setting", self.Terms, g.Terms}
	case want != 0 && g.ID != want:
		return &Mismatch{"member", strconv.FormatUint(want, 10), strconv.FormatUint(g.ID, 10)}
	}
	return nil
}

// greet says who we are.
func greet(w *wire, self Identity) error {
	g := greeting{version: Version, Identity: self}
	return w.write(g.append(w.begin(greetingBytesMax)), time.Now())
}

// meet hears who the other side is.
func meet(w *wire) (g greeting, err error) {
	f, err := w.receive(greetingBytesMax)
	if err == nil {
		err = g.read(&f)
	}
	return g, err
}
