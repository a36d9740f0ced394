// Package link is one stream between two processes that carries many calls at a time: frames over
// a connection of its own, so that the fixed costs of a message on the network are shared by all
// calls that travel together. The connection begins as a request of HTTP/1.1 that is upgraded, on
// the port where everything else is served too.
//
// What queued while a frame was under way goes into the next. At most FlyingMax frames are under
// way in each direction until the other side has taken them; that window is what makes batches
// form. Answers come in any order, and a call that waits holds up nobody.
//
// Every call ends in one of three ways: the handler answered (a payload, or a *txn.Error of its
// own); the error is ErrUnsent, and the request never left; or the error is ErrLost, and nobody
// knows what became of it. A link sends a call once and never again.
//
// A client may also post messages that get no answer, for those who say things again when they
// matter, as raft does. They keep their order and arrive at most once, or not at all.
//
// Each side says something every 15 s at least, if only an empty frame. Who is silent for 25 s, or
// takes nothing that is written for 30 s, is gone, and the stream with it.
//
// Payloads are opaque. What crosses in them belongs to the protocol version that both sides name
// when a stream opens, together with the cluster and the process that they are.
//
// Start with outbox.go, which decides what goes into a frame, frame.go and wire.go, which encode it
// and send it; client.go and server.go are the two ends.
package link
