package cycle

var registerCases = []cycleCase{
	{"valid registers", "", `
		init z=7
		0 0-1 x=1 y=1
		1 2-3 x:1 x=2 x:2 z:7
		2 4-5! x=3 y=3
		3 6-? x=4 y=4
		4 7-? x=5
		0 8-20 x:4 y:4
		1 9-10 x:4 x=6
		2 11-12 x:6 w:-`},
	{"concurrent registers", "", `
		0 0-9 x=1
		1 0-9 x=2
		2 0-1 x:-
		3 2-3 x:2
		3 4-5 x:1`},
	{"register G1a", "G1a", `
		0 0-1! x=1
		1 2-3 x:1`},
	{"register dirty update", "G1a dirty-update", `
		0 0-1! x=1
		1 2-3 x:1 x=2`},
	{"register G1b", "G1b", `
		0 0-5 x=1 x=2
		1 1-6 x:1`},
	{"register G1c", "G1c", `
		0 0-8 x=1 y:2
		1 1-9 y=2 x:1`},
	{"register G1c-process", "G1c-process", `
		0 0-1 x:1
		0 2-3 y=1
		1 1-9 y:1 x=1`},
	{"register G1c-realtime", "G1c-realtime", `
		0 0-1 x:1
		1 2-3 x=1`},
	{"register G-single of the first", "G-single", `
		0 0-8 x=1 y=1
		1 1-9 x:- y:1`},
	{"register G-single of Init", "G-single", `
		init x=5
		0 0-8 x=1 y=1
		1 1-9 x:5 y:1`},
	{"register G-single of what was replaced", "G-single", `
		0 0-1 x=1 y=1
		0 2-20 x:1 x=2 y=2
		1 3-21 x:1 y:2`},
	{"register G-single-process", "G-single-process", `
		0 0-9 x=1
		1 1-2 x:1
		1 3-4 x:-`},
	{"register G-single-realtime", "G-single-realtime", `
		0 0-1 x=1
		1 2-3 x:-`},
	{"register stale read", "G-single-realtime", `
		0 0-1 x=1
		1 2-3 x=2
		2 4-5 x:1`},
	{"register stale reads", "G-single-realtime", `
		0 0-1 x=1
		1 2-3 x:-
		2 4-5 x=2
		3 6-7 x:1`},
	{"register back and forth", "G-single-realtime", `
		0 0-20 x=1
		1 1-20 x=2
		2 2-3 x:1
		3 4-5 x:2
		2 6-7 x:1`},
	{"register back and forth in a process", "G-single-process", `
		0 0-20 x=1
		1 1-20 x=2
		2 2-3 x:1
		2 4-5 x:2
		2 6-7 x:1`},
	{"register read skew by real time", "G-single-realtime", `
		0 0-1 x=1 y=1
		1 2-9 x=2 y=2
		2 3-8 x:1 y:2`},
	{"register lost update", "lost-update", `
		0 0-1 x=1
		0 2-5 x:1 x=2
		1 3-6 x:1 x=3`},
	{"register lost update of nothing", "lost-update", `
		0 0-5 x:- x=1
		1 1-6 x:- x=2`},
	{"two inserts", "lost-update", `
		0 0-5 x^1
		1 1-6 x^2`},
	{"inserts and deletes", "", `
		0 0-1 x^1
		1 2-3 x:1 x~
		2 4-5 x:-
		0 6-7 x^2
		1 8-9 x~
		2 10-11 x:- x^3 x:3
		2 12-13 all(x:3)`},
	{"two deletes of the same", "lost-update", `
		0 0-1 x^1
		1 2-5 x:1 x~
		2 3-6 x:1 x~`},
	{"read after a delete", "G-single-realtime", `
		0 0-1 x^1
		1 2-3 x:1 x~
		2 4-5 x:1`},
	{"scan of what was deleted", "G-single-realtime", `
		init y=5
		0 0-1 x^1
		1 2-3 x~
		2 4-5 all(x:1,y:5)`},
	{"register G-nonadjacent", "G-nonadjacent", `
		0 0-8 x=1
		1 0-8 y=1
		2 1-9 x:1 y:-
		3 1-9 y:1 x:-`},
	{"register G2-item", "G2-item", `
		0 0-8 x:- y=1
		1 1-9 y:- x=1`},
	{"register G2-item-realtime", "G2-item-realtime", `
		1 0-9 y:- x=1
		2 1-2 y=1
		3 4-8 x:-`},
	{"built on what was replaced", "G-single-realtime", `
		0 0-1 x=1
		1 2-3 x=2
		2 4-5 x:1 x=3`},
	{"nothing comes between", "G-single-realtime", `
		0 0-1 x=1
		1 0-9 x=5
		2 2-8 x:1 x=2
		3 2-8 x:2 x=3
		1 10-11 x:5
		2 12-13 x:2`},
	{"register own write missing", "internal", `
		0 0-9 x=1 x:2
		1 1-2 x=2`},
	{"register two reads", "internal", `
		0 0-9 x:- x:2
		1 1-2 x=2`},
	{"register own write early", "internal", `
		0 0-9 x:1 x=1`},
	{"insert of what is there", "internal", `
		0 0-9 x:1 x^2
		1 0-9 x=1`},
	{"register garbage", "garbage-read", `
		0 0-1 x:3`},
	{"register that is gone", "garbage-read", `
		init x=3
		0 0-1 x:-`},
	{"register that is a list", "garbage-read", `
		0 0-1 x=3
		1 2-3 x[3]`},
	{"unknown register that was read", "G-single", `
		0 0-? x=1 y=1
		1 1-2 x:1 y:-`},
	{"values that two wrote", "", `
		init x=1
		0 0-1 x=2
		1 2-3 x=2
		2 4-5 x=1
		1 6-7 x:2`},
	{"garbage beside values that two wrote", "garbage-read", `
		0 0-1 x=2
		1 2-3 x=2
		1 6-7 x:9`},
	{"a stale read beside values that two wrote", "G-single-realtime", `
		0 0-1 x=1
		1 2-3 x=2
		0 4-5 x=3
		1 6-7 x=3
		2 8-9 x:1`},
	{"what failed and what did not wrote the same", "G-single-realtime", `
		0 0-1! x=1
		1 2-3 x=1
		2 4-5 x=2
		0 6-7! x=1 x=2
		2 8-9 x:1`},
	{"what failed wrote the same, and overwrote it", "", `
		0 0-1! x=1 x=2
		1 2-3 x=1
		2 8-9 x:1`},
	{"what failed wrote the same as there was at first", "", `
		init x=1
		0 0-1! x=1
		2 8-9 x:1`},
	{"two failed with the same", "G1a", `
		0 0-1! x=1
		1 2-3! x=1
		2 8-9 x:1`},
}
