// Package client is the Go SDK of Cairn: the key/value verbs, ranges, histories,
// one-shot transactions, and transactions as closures that run again on a
// conflict.
//
//	db, err := client.Dial("http://127.0.0.1:7600")
//	...
//	defer db.Close()
//	_, err = db.SetString(ctx, "greeting", "hello")
//	err = db.Update(ctx, func(tx *client.Txn) error {
//		e, err := tx.Get(ctx, "counter")
//		...
//	})
//
// Every error is a *txn.Error, and its Kind says what to do next. A call that
// changes something and ends without Cairn's own word on it answers
// txn.Unknown: it may have happened. Everything else that is safe to repeat has
// been repeated before an error comes back.
//
// All calls of a DB share one stream to the gateway (link.go): whatever queues
// while a frame is under way goes into the next one. Where there is no HTTP/2,
// calls go out one by one instead (unary.go).
//
// Start with kv.go (the verbs), then call.go (what is repeated, and when) and
// request.go (what makes a call happen once).
package client
