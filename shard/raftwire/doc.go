// Package raftwire is how raft's messages look between two members. Each pass of a member's workers
// makes one batch for each peer, most of it heartbeats of idle shards or their answers, so what is
// zero takes no bytes. raftpb's own encoding goes through reflection, and is not used.
//
// A batch is a version (1 byte), the number of messages, and for each its shard and the message.
// Numbers are unsigned varints. A message is:
//
//	type     1 byte, a raftpb.MessageType
//	flags    what follows: bits 0 to 7 for to, from, term, commit, index, log term, reject hint and
//	         vote, one number each; 8 entries; 9 reject, which has nothing to follow; 10 context
//	entries  how many; for each its type (1 byte), term, index, length and data
//	context  length and bytes
//	snapshot of a MsgSnap alone: index, term, whether to leave a joint configuration by itself
//	         (1 byte), then voters, learners, outgoing voters and next learners, each as how many
//	         and the numbers
//
// A message alone, as at the head of a snapshot's stream, is the version and the message.
//
// Start with encode.go.
package raftwire
