package gateway

import (
	"google.golang.org/protobuf/proto"

	cairnv1 "github.com/cairnkv/cairn/proto/gen/cairn/v1"
	"github.com/cairnkv/cairn/txn"
)

// soonGet is a get for which no worker waits: the reader asks the shard, and whoever receives the
// answer makes the reply. That is for gets of the present, outside of transactions, that succeed at
// the first attempt. Everything else, and whatever goes wrong, is for a worker, which begins anew:
// so there is one place that knows about errors.
type soonGet struct {
	x *exchange
	c *openCall
}

// answerSoon begins c, if it is such a get.
func (x *exchange) answerSoon(c *openCall) bool {
	if c.call.GetMethod() != cairnv1.Method_METHOD_KV_GET || !x.proper {
		return false
	}
	req := new(cairnv1.GetRequest)
	if proto.Unmarshal(c.call.GetPayload(), req) != nil {
		return false
	}
	c.request, c.call.Payload = req, nil // the payload keeps the whole frame
	key, ok := x.plain(req)
	if !ok {
		return false
	}
	s := &soonGet{x, c}
	c.began = x.g.Env.Now()
	x.workers.Add(1)
	stop := x.g.Coordinator.GetSoon(c, key, s.got)
	if stop == nil {
		x.workers.Done()
		c.began = 0
		return false
	}
	x.mu.Lock()
	c.stop = stop
	err := c.Err()
	x.mu.Unlock()
	if err != nil { // endCall has not seen stop
		stop(err)
	}
	return true
}

// plain is the key to read, if that is all there is to r.
func (x *exchange) plain(r *cairnv1.GetRequest) (txn.Key, bool) {
	if r.GetTxn() != "" || r.Begin != nil || r.Revision != nil || r.AsOf != nil ||
		r.GetForUpdate() {
		return nil, false
	}
	if _, other := ephemeral(r); other {
		return nil, false
	}
	ks := x.g.keyspaces.table.Load().find(r.GetKeyspace())
	if ks == nil {
		return nil, false
	}
	key, err := keyIn(ks.ID, r.GetKey())
	return key, err == nil
}

// got ends the call, or gives it to a worker. It holds up nobody: what it adds to the queue of
// replies has its place there since the call was let in.
func (s *soonGet) got(v *txn.Version, at txn.Timestamp, ok bool) {
	x, c := s.x, s.c
	defer x.workers.Done()
	var payload []byte
	if ok {
		payload, ok = s.answer(v, at)
	}
	if !ok {
		x.workers.Go(func() { x.worker(c) })
		return
	}
	x.g.metrics.observe(methodGet, x.g.Env.Now()-c.began, nil)
	c.end()
	reply := sizeOf(&cairnv1.Reply{Id: c.call.GetId(), Payload: payload})
	x.mu.Lock()
	x.push(reply)
	x.mu.Unlock()
}

// answer encodes what was found. A panic is for the worker to have again, and to tell.
func (s *soonGet) answer(v *txn.Version, at txn.Timestamp) (payload []byte, ok bool) {
	defer func() {
		if recover() != nil {
			payload, ok = nil, false
		}
	}()
	if !v.Live(at) {
		v = nil
	}
	payload, err := proto.Marshal(getResponse(v, ""))
	return payload, err == nil && len(payload) <= replyPayloadMax
}
