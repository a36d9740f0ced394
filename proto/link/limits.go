package link

import (
	"time"

	"github.com/cairnkv/cairn/proto/transport"
)

// Version of the protocol: of the frames and of what is in the payloads. Both ends must have the
// same one.
const Version = 12

// Path is where a Server is mounted, and Protocol what a request to it must ask for.
const (
	Path     = "/cairn.internal.v1.LinkService/Exchange"
	Protocol = "cairn-link"
)

// Limits. Both ends know them, and a stream ends when the other side breaks one.
const (
	// FlyingMax is how many frames one side may have sent that the other has not yet taken.
	FlyingMax = 2
	// FrameBytesMax is how large a frame gets, unless a single payload is larger.
	FrameBytesMax = 1 << 20
	// PayloadBytesMax is how large one payload may be. Whatever keeps the limits of package txn
	// fits: at worst a commit of 8 MiB of writes, with the read set of 8 MiB, and with the keys of
	// these writes as ranges, twice each, at snapshot isolation; or its answer, with results of
	// 8 MiB and the written keys three times.
	PayloadBytesMax = 40 << 20
	// CallsMax is how many calls of a link may be open; more wait.
	CallsMax = 4 * 4096
	// CallBytesMax bounds the payloads of the open calls, each counted as callBytesMin at least.
	CallBytesMax = CallsMax * callBytesMin
	// AnswerBytesMax is how much may wait to be sent before a server lets its client send no
	// more: whoever does not listen is not listened to.
	AnswerBytesMax = 16 << 20
	// PostBytesMax and PostsMax are how many bytes and posted messages may wait to be sent; more
	// are dropped. The bytes fill a network of 1 Gbit/s for a quarter of a second: what would wait
	// longer behind them is too old when it arrives, and was said again by then.
	PostBytesMax = 32 << 20
	PostsMax     = 16 << 10

	callBytesMin = 4 << 10
	// nameBytesMax bounds the cluster's id, the address and the terms in a greeting.
	nameBytesMax = 256
	// greetingBytesMax bounds a greeting, of later versions too.
	greetingBytesMax = 4 << 10
	// messageBytesMax is what a message takes in a frame besides its payload.
	messageBytesMax = 1 + 10 + 1 + 10 + 4
	// frameReadMax is the largest frame that a correct peer sends.
	frameReadMax = PayloadBytesMax + messageBytesMax + 1
	// readBytes is how much is read ahead: several small frames with one call of the kernel.
	readBytes = 64 << 10
	// readTrustMax is how much memory the other side gets at most for the length of a frame alone,
	// if it has sent as large a frame before; at first it gets readBytes. Beyond that it gets
	// readTrustGrowth times what has come.
	readTrustMax    = FrameBytesMax
	readTrustGrowth = 4
	// writeBytesMax is what goes into one write. It has writeTimeout to leave.
	writeBytesMax = 2 * FrameBytesMax
	// writeKeepMax is how much memory a wire keeps for the next frame.
	writeKeepMax = 2 * FrameBytesMax
	// idleWorkersMax is how many goroutines of a stream wait for the next call.
	idleWorkersMax = 1024
)

const (
	// greetingTimeout bounds how long a stream may take to open.
	greetingTimeout = 5 * time.Second
	// backoffMin is the pause after the first failure to connect; it doubles up to backoffMax.
	// A member that comes back must hear its leaders well before it would stand for election, and
	// each attempt costs next to nothing.
	backoffMin = 10 * time.Millisecond
	backoffMax = 200 * time.Millisecond
	// closeGrace is how long a closing server waits for its peers to take the last answers.
	closeGrace = 250 * time.Millisecond
	// patienceStep is how often a client looks for calls that have waited long enough.
	patienceStep = 100 * time.Millisecond
	// tickEvery is how often a sender looks at the clock.
	tickEvery = time.Second
	// beatTicks is after how many of these each side sends a frame with nothing in it. Whoever hears
	// nothing for silenceMax, not even that, ends the stream: the other side is gone without a word.
	beatTicks  = int(transport.PingAfter / tickEvery)
	silenceMax = transport.PingAfter + transport.PingTimeout
	// writeTimeout ends a stream that does not take what is written.
	writeTimeout = transport.WriteTimeout
	// renewAfter is how much earlier than that either may end: to move a deadline with every frame
	// costs more than it is worth.
	renewAfter = time.Second
)
