package link

import "time"

// Version of the protocol: of the frames and of what is in the payloads. Both ends must have the
// same one.
const Version = 8

// Path is where a Server is mounted.
const Path = "/cairn.internal.v1.LinkService/Exchange"

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
	// nameBytesMax bounds the cluster's id and the address in a greeting.
	nameBytesMax = 256
	// messageBytesMax is what a message takes in a frame besides its payload.
	messageBytesMax = 1 + 10 + 1 + 10 + 4
	// frameReadMax is the largest frame that a correct peer sends.
	frameReadMax = PayloadBytesMax + messageBytesMax + 1
	// idleWorkersMax is how many goroutines of a stream wait for the next call.
	idleWorkersMax = 64
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
)
