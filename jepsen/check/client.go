package check

// Client reports what clients were told that cannot be, whatever else happened: they
// say so themselves, since most of it is not in what a history tells of operations. A
// condition under which the store says that it has written, and that did not hold; an
// error for which no plan gives a reason.
func Client() Checker {
	return Checker{Name: "client", Check: func(h *History) []Anomaly {
		f := findings{h: h}
		for i := range h.Ops {
			if o := &h.Ops[i]; o.Odd != "" {
				f.add("impossible", []int{o.ID}, "%s", o.Odd)
			}
		}
		return f.all
	}}
}
