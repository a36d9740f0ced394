package cycle

import (
	"slices"

	"github.com/cairnkv/cairn/jepsen/history"
)

// broken lets t take effect with the fault of s, if t can have it. What it then does, no strictly
// serializable store does; who finds out depends on who reads.
func (s *fakeStore) broken(t *fakeTxn) bool {
	reads, writes := t.keys(false), t.keys(true)
	now := len(s.done)
	at := map[string]int{}
	mops := t.mops
	switch s.fault {
	case staleRead:
		// all of it as of before something that had taken effect when t began
		k, ok := s.find(reads, func(k string) bool {
			v := s.at(k, t.invoked)
			return v.seq > 0 && s.done[v.seq-1].ended > 0 && s.done[v.seq-1].ended < t.began
		})
		if !ok || len(writes) > 0 {
			return false
		}
		for _, r := range reads {
			at[r] = s.at(k, t.invoked).seq - 1
		}
	case lostUpdate:
		k, ok := s.find(reads, func(k string) bool {
			return slices.Contains(writes, k) && s.at(k, now).seq > t.invoked
		})
		if !ok {
			return false
		}
		for _, r := range reads {
			at[r] = s.at(k, now).seq - 1
		}
	case readSkew:
		k, ok := s.find(reads, func(k string) bool {
			seq := s.at(k, now).seq
			return seq > t.invoked && slices.ContainsFunc(s.done[seq-1].keys(true), func(other string) bool {
				return other != k && slices.Contains(reads, other)
			})
		})
		if !ok || slices.Contains(writes, k) {
			return false
		}
		at[k] = s.at(k, now).seq - 1
	case writeSkew:
		k, ok := s.find(reads, func(k string) bool {
			seq := s.at(k, now).seq
			return seq > t.invoked && !slices.Contains(writes, k) &&
				slices.ContainsFunc(s.done[seq-1].keys(false), func(other string) bool {
					return other != k && slices.Contains(writes, other) &&
						s.at(other, now).seq < seq && s.done[seq-1].typ == history.OK
				})
		})
		if !ok {
			return false
		}
		at[k] = s.at(k, now).seq - 1
	case lostWrite:
		if len(writes) == 0 {
			return false
		}
		mops = nil
	case tornWrite:
		if len(writes) < 2 {
			return false
		}
		mops = slices.DeleteFunc(slices.Clone(mops), func(m history.Mop) bool { return m.Key != writes[0] })
	case lateVisibility:
		if len(writes) == 0 {
			return false
		}
		s.read(t, nil)
		t.late, t.wait, s.hit = true, 40, true
		return true
	case doubled:
		if !slices.ContainsFunc(mops, func(m history.Mop) bool { return m.Kind == history.Append }) {
			return false
		}
		mops = append(slices.Clone(mops), mops...)
	case swapped:
		return s.swap(t)
	case anySnapshot:
		for _, k := range reads {
			at[k] = s.chance.IntN(now + 1)
		}
		s.hit = s.chance.IntN(2) == 0
	default:
		return false
	}
	s.hit = s.hit || s.fault != anySnapshot
	s.effect(t, func(k string) int {
		if seq, ok := at[k]; ok {
			return seq
		}
		return now
	}, mops)
	return true
}

// find is the first key of which it holds.
func (s *fakeStore) find(keys []string, holds func(string) bool) (string, bool) {
	i := slices.IndexFunc(keys, holds)
	if i < 0 {
		return "", false
	}
	return keys[i], true
}

func (s *fakeStore) swap(t *fakeTxn) bool {
	s.read(t, nil)
	i := slices.IndexFunc(t.mops, func(m history.Mop) bool { return len(m.List) > 1 })
	if i < 0 || len(t.keys(true)) > 0 || len(t.mops) > 1 {
		return false
	}
	list := slices.Clone(t.mops[i].List)
	n := s.chance.IntN(len(list) - 1)
	list[n], list[n+1] = list[n+1], list[n]
	s.effect(t, nil, nil)
	t.mops[i].List, s.hit = list, true
	return true
}
