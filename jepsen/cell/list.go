package cell

import (
	"fmt"

	"github.com/cairnkv/cairn/jepsen/nemesis"
	"github.com/cairnkv/cairn/jepsen/workload"
)

// All are the cells of the matrix.
func All() []Plan {
	a := Axes{Compatible: func(a, b string) bool {
		first, _ := nemesis.ByName(a)
		second, _ := nemesis.ByName(b)
		return nemesis.Compatible(first, second)
	}}
	for _, w := range workload.All() {
		a.Workloads = append(a.Workloads, w.Name)
	}
	for _, n := range nemesis.All() {
		a.Nemeses = append(a.Nemeses, Nemesis{Name: n.Name, Members: n.Members, Reads: n.Reads})
	}
	return Matrix(a)
}

// List is workloads, nemeses and cells for people.
func List() []string {
	lines := []string{"workloads:"}
	for _, w := range workload.All() {
		lines = append(lines, fmt.Sprintf("  %-16s %s", w.Name, w.What))
	}
	lines = append(lines, "", "nemeses:")
	for _, n := range nemesis.All() {
		lines = append(lines, fmt.Sprintf("  %-22s %-4s %s", n.Name, n.Number, n.What))
	}
	lines = append(lines, "", "cells:")
	for _, p := range All() {
		lines = append(lines, fmt.Sprintf("  %3d  %s", p.Number, p.String()))
	}
	return lines
}
