package report

import (
	"fmt"
	"slices"
)

// keyBytes is the length of the keys of all systems.
const keyBytes = 16

// writes are the values that an operation of a workload writes, on average.
var writes = map[string]float64{
	"put": 1, "increment-hot": 1, "mixed": 0.2, "ycsb-a": 0.5, "ycsb-b": 0.05, "ycsb-f": 0.5,
	"transfer-same-optimistic": 2, "transfer-same-pessimistic": 2,
	"transfer-two-optimistic": 2, "transfer-two-pessimistic": 2,
}

// versions say which part of what grew in long runs is values that have been replaced: nothing is
// collected while a run lasts, by any of the systems that keep them. Nil if there is no such run.
func (f *File) versions(groups []*Group) *Table {
	groups = slices.DeleteFunc(slices.Clone(groups), func(g *Group) bool {
		return !g.long() || !g.followed() || writes[g.Case.Workload] == 0 || f.side(g.Side).Nodes == 0
	})
	if len(groups) == 0 {
		return nil
	}
	columns, _ := varying(groups)
	t := head("What grew, and which part of it is versions that were written meanwhile", columns,
		"operations", "versions", "their MiB", "data grew MiB", "versions' part", "memory grew MiB",
		"bytes a version")
	t.Notes = []string{fmt.Sprintf("their MiB: keys of %d bytes and values alone, on all nodes; "+
		"no version is collected. Data has the log beside them, and what is not compacted yet. "+
		"Bytes a version: by which the memory of all processes grew", keyBytes)}
	for _, g := range groups {
		ops, disk, memory := 0.0, 0.0, 0.0
		for i, s := range g.Samples {
			ops += float64(s.Ops)
			if all := g.taken(i, serves); len(all) > 0 {
				last := all[len(all)-1]
				disk += float64(last.Disk - all[0].Disk)
				memory += float64(last.Memory - all[0].Memory)
			}
		}
		versions := ops * writes[g.Case.Workload]
		bytes := versions * float64((keyBytes+g.Case.ValueBytes)*f.side(g.Side).Nodes)
		t.add(append(lead(g, columns), whole(ops), whole(versions), whole(bytes/mebi),
			whole(disk/mebi), percent(divide(bytes, disk)), whole(memory/mebi),
			short(divide(memory, versions)))...)
	}
	return t
}
