package check

import (
	"maps"
	"slices"

	"github.com/cairnkv/cairn/jepsen/history"
)

const accounts = "account"

// Bank checks that transfers make no money and lose none: accounts are the keys
// that begin with account/, their balances at first are in Init, and whoever reads
// all of them finds that sum. No balance is below zero.
//
// What an operation reads after it has written an account itself is not judged: it
// may be halfway.
func Bank() Checker {
	return Checker{Name: "bank", Check: func(h *History) []Anomaly {
		b := bank{findings: findings{h: h}, first: map[string]int64{}}
		for key, n := range h.Init { // order: a sum
			if inRange(accounts, key) {
				b.first[key] = n
				b.total += n
			}
		}
		for _, o := range byInvocation(h) {
			b.audit(o)
		}
		return b.all
	}}
}

type bank struct {
	findings
	first map[string]int64
	total int64
}

// audit adds up what o read.
func (b *bank) audit(o *history.Op) {
	read := map[string]int64{}
	for i := range o.Mops {
		m := &o.Mops[i]
		switch {
		case m.Kind == history.Scan && m.Key == accounts && m.Known:
			b.checkSum(o, m.Rows)
		case m.Kind == history.Read && m.Known && inRange(accounts, m.Key):
			read[m.Key] = m.N
			b.checkBalance(o, m.Key, m.N)
		case m.Writes() && inRange(accounts, m.Key):
			b.checkRead(o, read)
			return
		}
	}
	b.checkRead(o, read)
}

func (b *bank) checkBalance(o *history.Op, key string, n int64) {
	if n < 0 {
		b.add("negative-balance", []int{o.ID}, "%q has %d", key, n)
	}
}

// checkRead adds up what was read one by one, if that is all there is.
func (b *bank) checkRead(o *history.Op, read map[string]int64) {
	if len(b.first) == 0 || len(read) == 0 {
		return
	}
	for key := range b.first { // order: all of them
		if _, ok := read[key]; !ok {
			return
		}
	}
	b.checkSum(o, read)
}

func (b *bank) checkSum(o *history.Op, balances map[string]int64) {
	sum := int64(0)
	for _, key := range slices.Sorted(maps.Keys(balances)) {
		sum += balances[key]
		b.checkBalance(o, key, balances[key])
	}
	if sum != b.total {
		b.add("wrong-total", []int{o.ID}, "all accounts together have %d, not %d", sum, b.total)
	}
}
