package shard

import (
	"go.etcd.io/raft/v3/raftpb"

	"github.com/cairnkv/cairn/txn"
)

// ProposalKind says what a command of the log does.
type ProposalKind string

// The kinds of commands.
const (
	ProposalWrite    ProposalKind = "write" // of a commit on one shard
	ProposalPrewrite ProposalKind = "prewrite"
	ProposalResolve  ProposalKind = "resolve"
	ProposalDecide   ProposalKind = "decide"
	ProposalCollect  ProposalKind = "collect" // of many transactions' records, or requests' rows
	ProposalForgo    ProposalKind = "forgo"   // of a request that somebody asked about
	ProposalMeta     ProposalKind = "meta"
	ProposalDrop     ProposalKind = "drop" // of a keyspace
)

func (k commandKind) proposal() ProposalKind {
	switch k {
	case cmdWrite:
		return ProposalWrite
	case cmdPrewrite:
		return ProposalPrewrite
	case cmdResolve:
		return ProposalResolve
	case cmdDecide:
		return ProposalDecide
	case cmdCollect:
		return ProposalCollect
	case cmdForgo:
		return ProposalForgo
	case cmdDrop:
		return ProposalDrop
	default:
		return ProposalMeta
	}
}

// Proposal is a command of the log, for who follows a log from outside.
type Proposal struct {
	Kind ProposalKind
	Txn  txn.ID // on whose behalf; 0: nobody's
}

// Proposals are the commands of an entry in order; none if it is raft's own.
func Proposals(e *raftpb.Entry) ([]Proposal, error) {
	if e.GetType() != raftpb.EntryNormal || len(e.Data) == 0 {
		return nil, nil
	}
	commands, err := decodeEntry(e.Data)
	if err != nil {
		return nil, err
	}
	all := make([]Proposal, len(commands))
	for i := range commands {
		all[i] = Proposal{commands[i].kind.proposal(), commands[i].txn}
	}
	return all, nil
}
