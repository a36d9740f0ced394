package main

// anomaly is a case of the table: a script in which it would show, and what is seen instead.
type anomaly struct {
	name   string
	init   string
	script string
	// bad are histories with the anomaly in it, which nobody may ever see; those in skewed are
	// allowed at snapshot, and optimistic transactions must see them there.
	bad    []string
	skewed []string
	// hidden says that the script does not show it where nothing is isolated at all.
	hidden bool
	// want says what is seen, by words that are true of a run: a locking (optimistic, pessimistic;
	// T1-locks and T2-locks if only T1 and T3, or only T2 and T4, are pessimistic), the level of
	// who is optimistic, and one-shard or two-shards. Of more lines below one another, or with a
	// bar between them, each may be seen. The first words that fit count.
	want string
}

// anomalies are those of Adya and of Hermitage, and some of their kin. T1 is older than T2, that is
// older than T3, if their scripts do not begin in another order. Values are those of Hermitage.
var anomalies = []anomaly{
	{
		name: "G0 write cycle",
		init: "x=10 y=20",
		script: `
			T1 begin
			T2 begin
			T1 set x 11
			T2 set x 12
			T2 set y 22
			T1 set y 21
			T1 commit
			T2 commit`,
		bad: []string{"T1 ok; T2 ok; x=12 y=21", "T1 ok; T2 ok; x=11 y=22"},
		want: `
			pessimistic:  T1 ok; T2 waits ok; x=12 y=22
			T2-locks:     T1 ok; T2 ok; x=12 y=22
			serializable: T1 ok; T2 ok; x=12 y=22
			snapshot:     T1 ok; T2 aborted; x=11 y=21`,
	},
	{
		name: "G1a aborted read",
		init: "x=10 y=20",
		script: `
			T1 begin
			T2 begin
			T1 set x 101
			T2 scan
			T1 rollback
			T2 scan
			T2 commit`,
		bad: []string{"T1 rollback; T2 ok {x=101,y=20} {x=10,y=20}; x=10 y=20"},
		want: `
			pessimistic: T1 rollback; T2 waits ok {x=10,y=20} {x=10,y=20}; x=10 y=20
			else:        T1 rollback; T2 ok {x=10,y=20} {x=10,y=20}; x=10 y=20`,
	},
	{
		name: "G1b intermediate read",
		init: "x=10 y=20",
		script: `
			T1 begin
			T2 begin
			T1 set x 101
			T2 scan
			T1 set x 11
			T1 commit
			T2 scan
			T2 commit`,
		bad: []string{"T1 ok; T2 ok {x=101,y=20} {x=11,y=20}; x=11 y=20"},
		want: `
			pessimistic: T1 ok; T2 waits ok {x=11,y=20} {x=11,y=20}; x=11 y=20
			T2-locks:    T1 ok; T2 aborted {x=10,y=20} {x=11,y=20}; x=11 y=20
			else:        T1 ok; T2 ok {x=10,y=20} {x=10,y=20}; x=11 y=20`,
	},
	{
		name: "G1c circular information flow",
		init: "x=10 y=20",
		script: `
			T1 begin
			T2 begin
			T1 set x 11
			T2 set y 22
			T1 get y
			T2 get x
			T1 commit
			T2 commit`,
		bad:    []string{"T1 ok y=22; T2 ok x=11; x=11 y=22"},
		skewed: []string{"T1 ok y=20; T2 ok x=10; x=11 y=22"},
		want: `
			pessimistic one-shard:  T1 ok y=20; T2 aborted; x=11 y=20
			pessimistic two-shards: T1 ok y=20; T2 waits ok x=11; x=11 y=22
			T2-locks:               T1 ok y=20; T2 aborted x=10; x=11 y=20
			serializable:           T1 ok y=20; T2 aborted x=10; x=11 y=20
			snapshot:               T1 ok y=20; T2 ok x=10; x=11 y=22`,
	},
	{
		name: "OTV observed transaction vanishes",
		init: "x=10 y=20",
		script: `
			T1 begin
			T2 begin
			T3 begin
			T1 set x 11
			T1 set y 19
			T2 set x 12
			T1 commit
			T3 get x
			T3 get y
			T2 set y 18
			T2 commit
			T3 get y
			T3 get x
			T3 commit`,
		bad: []string{
			"T1 ok; T2 ok; T3 ok x=11 y=19 y=18 x=12; x=12 y=18",
			"T1 ok; T2 ok; T3 ok x=12 y=19 y=19 x=12; x=12 y=18",
		},
		want: `
			pessimistic:           T1 ok; T2 waits ok; T3 waits ok x=12 y=18 y=18 x=12; x=12 y=18
			T1-locks serializable: T1 ok; T2 ok; T3 aborted x=11 y=19 y=19 x=11; x=12 y=18
			T1-locks snapshot:     T1 ok; T2 aborted; T3 ok x=11 y=19 y=19 x=11; x=11 y=19
			T2-locks one-shard:    T1 ok; T2 aborted; T3 ok x=10 y=20 y=20 x=10; x=11 y=19
			T2-locks two-shards:   T1 ok; T2 ok; T3 ok x=10 y=20 y=20 x=10; x=12 y=18
			serializable:          T1 ok; T2 ok; T3 ok x=10 y=20 y=20 x=10; x=12 y=18
			snapshot:              T1 ok; T2 aborted; T3 ok x=10 y=20 y=20 x=10; x=11 y=19`,
	},
	{
		name: "PMP predicate-many-preceders",
		init: "x=10 y=20",
		script: `
			T1 begin
			T2 begin
			T1 where 30
			T2 set z 30
			T2 commit
			T1 where 30
			T1 commit`,
		bad: []string{"T1 ok {} {z=30}; T2 ok; x=10 y=20 z=30"},
		want: `
			optimistic: T1 ok {} {}; T2 ok; x=10 y=20 z=30
			T2-locks:   T1 ok {} {}; T2 ok; x=10 y=20 z=30
			else:       T1 ok {} {}; T2 waits ok; x=10 y=20 z=30`,
	},
	{
		name: "PMP of a write predicate",
		init: "x=10 y=20",
		script: `
			T1 begin
			T2 begin
			T1 add 10
			T2 drop 20
			T1 commit
			T2 commit`,
		hidden: true, // scans and their writes are one step
		bad: []string{
			"T1 ok {x=10,y=20}; T2 ok {x=10,y=20}; x=20",
			"T1 ok {x=10,y=20}; T2 ok {x=20,y=20}; x=20 y=30",
		},
		want: `
			pessimistic: T1 ok {x=10,y=20}; T2 waits ok {x=20,y=30}; y=30
			else:        T1 ok {x=10,y=20}; T2 aborted {x=10,y=20}; x=20 y=30`,
	},
	{
		name: "P4 lost update",
		init: "x=10",
		script: `
			T1 begin
			T2 begin
			T1 get x
			T2 get x
			T1 set x x+1
			T2 set x x+1
			T1 commit
			T2 commit`,
		bad: []string{"T1 ok x=10; T2 ok x=10; x=11"},
		want: `
			else: T1 ok x=10; T2 aborted x=10; x=11`,
	},
	{
		name: "P4 lost update, with reads for update",
		init: "x=10",
		script: `
			T1 begin
			T2 begin
			T1 lock x
			T2 lock x
			T1 set x x+1
			T2 set x x+1
			T1 commit
			T2 commit`,
		bad: []string{"T1 ok x=10; T2 ok x=10; x=11"},
		want: `
			pessimistic: T1 ok x=10; T2 waits ok x=11; x=12
			else:        T1 ok x=10; T2 aborted x=10; x=11`,
	},
	{
		name: "P2 read that does not repeat",
		init: "x=10",
		script: `
			T1 begin
			T2 begin
			T1 get x
			T2 set x 11
			T2 commit
			T1 get x
			T1 commit`,
		bad: []string{"T1 ok x=10 x=11; T2 ok; x=11"},
		want: `
			optimistic: T1 ok x=10 x=10; T2 ok; x=11
			T2-locks:   T1 ok x=10 x=10; T2 ok; x=11
			else:       T1 ok x=10 x=10; T2 waits ok; x=11`,
	},
	{
		name: "G-single read skew",
		init: "x=10 y=20",
		script: `
			T1 begin
			T2 begin
			T1 get x
			T2 get x
			T2 get y
			T2 set x 12
			T2 set y 18
			T2 commit
			T1 get y
			T1 commit`,
		bad: []string{"T1 ok x=10 y=18; T2 ok x=10 y=20; x=12 y=18"},
		want: `
			optimistic: T1 ok x=10 y=20; T2 ok x=10 y=20; x=12 y=18
			T2-locks:   T1 ok x=10 y=20; T2 ok x=10 y=20; x=12 y=18
			T1-locks two-shards:
				T1 ok x=10 y=20; T2 waits ok x=10 y=20; x=12 y=18
				T1 ok x=10 y=20; T2 waits aborted x=10 y=20; x=10 y=20
				T1 ok x=10 y=20; T2 aborted x=10 y=20; x=10 y=20
			else:       T1 ok x=10 y=20; T2 waits ok x=10 y=20; x=12 y=18`,
	},
	{
		name: "G-single of a predicate",
		init: "x=10 y=20",
		script: `
			T1 begin
			T2 begin
			T1 where 10
			T2 set x 12
			T2 commit
			T1 where 12
			T1 commit`,
		bad: []string{"T1 ok {x=10} {x=12}; T2 ok; x=12 y=20"},
		want: `
			optimistic: T1 ok {x=10} {}; T2 ok; x=12 y=20
			T2-locks:   T1 ok {x=10} {}; T2 ok; x=12 y=20
			else:       T1 ok {x=10} {}; T2 waits ok; x=12 y=20`,
	},
	{
		name: "G-single of a write predicate",
		init: "x=10 y=20",
		script: `
			T1 begin
			T2 begin
			T1 get x
			T2 scan
			T2 set x 12
			T2 set y 18
			T2 commit
			T1 drop 20
			T1 get y
			T1 commit`,
		bad: []string{
			"T1 ok x=10 {x=12,y=18} y=18; T2 ok {x=10,y=20}; x=12 y=18",
			"T1 ok x=10 {x=10,y=20} y=-; T2 ok {x=10,y=20}; x=12",
		},
		want: `
			optimistic: T1 aborted x=10 {x=10,y=20} y=-; T2 ok {x=10,y=20}; x=12 y=18
			T2-locks:   T1 aborted x=10 {x=10,y=20} y=-; T2 ok {x=10,y=20}; x=12 y=18
			T1-locks two-shards:
				T1 ok x=10 {x=10,y=20} y=-; T2 waits aborted {x=10,y=20}; x=10
				T1 ok x=10 {x=10,y=20} y=-; T2 aborted {x=10,y=20}; x=10
			else:       T1 ok x=10 {x=10,y=20} y=-; T2 waits aborted {x=10,y=20}; x=10`,
	},
	{
		name: "G-single of a write predicate that comes between",
		init: "x=10 y=20",
		script: `
			T1 begin
			T2 begin
			T1 get x
			T2 scan
			T2 set x 12
			T1 drop 20
			T2 set y 18
			T1 rollback
			T2 commit`,
		bad: []string{
			"T1 rollback x=10 {x=12,y=20}; T2 ok {x=10,y=20}; x=12 y=18",
			"T1 rollback x=10 {x=10,y=20}; T2 ok {x=10,y=20}; x=12",
		},
		want: `
			pessimistic: T1 rollback x=10 {x=10,y=20}; T2 waits aborted {x=10,y=20}; x=10 y=20
			else:        T1 rollback x=10 {x=10,y=20}; T2 ok {x=10,y=20}; x=12 y=18`,
	},
	{
		name: "G2-item write skew",
		init: "x=10 y=20",
		script: `
			T1 begin
			T2 begin
			T1 get x
			T1 get y
			T2 get x
			T2 get y
			T1 set x 11
			T2 set y 21
			T1 commit
			T2 commit`,
		skewed: []string{"T1 ok x=10 y=20; T2 ok x=10 y=20; x=11 y=21"},
		want: `
			pessimistic two-shards: T1 ok x=10 y=20; T2 waits aborted x=10 y=20; x=11 y=20
			optimistic snapshot:    T1 ok x=10 y=20; T2 ok x=10 y=20; x=11 y=21
			T1-locks snapshot:      T1 ok x=10 y=20; T2 ok x=10 y=20; x=11 y=21
			else:                   T1 ok x=10 y=20; T2 aborted x=10 y=20; x=11 y=20`,
	},
	{
		name: "G2-item write skew, with reads for update",
		init: "x=10 y=20",
		script: `
			T1 begin
			T2 begin
			T1 lock x
			T1 lock y
			T2 lock x
			T2 lock y
			T1 set x 11
			T2 set y 21
			T1 commit
			T2 commit`,
		bad: []string{"T1 ok x=10 y=20; T2 ok x=10 y=20; x=11 y=21"},
		want: `
			pessimistic: T1 ok x=10 y=20; T2 waits ok x=11 y=20; x=11 y=21
			else:        T1 ok x=10 y=20; T2 aborted x=10 y=20; x=11 y=20`,
	},
	{
		name: "G2-item write skew over a range: who is on call",
		init: "x=1 y=1",
		script: `
			T1 begin
			T2 begin
			T1 where 1
			T2 where 1
			T1 set x 0
			T2 set y 0
			T1 commit
			T2 commit`,
		skewed: []string{"T1 ok {x=1,y=1}; T2 ok {x=1,y=1}; x=0 y=0"},
		want: `
			pessimistic two-shards: T1 ok {x=1,y=1}; T2 waits aborted {x=1,y=1}; x=0 y=1
			optimistic snapshot:    T1 ok {x=1,y=1}; T2 ok {x=1,y=1}; x=0 y=0
			T1-locks snapshot:      T1 ok {x=1,y=1}; T2 ok {x=1,y=1}; x=0 y=0
			else:                   T1 ok {x=1,y=1}; T2 aborted {x=1,y=1}; x=0 y=1`,
	},
	{
		name: "G2 anti-dependency cycle of predicates",
		init: "x=10 y=20",
		script: `
			T1 begin
			T2 begin
			T1 where 30
			T2 where 30
			T1 set z 30
			T2 set w 30
			T1 commit
			T2 commit`,
		skewed: []string{"T1 ok {}; T2 ok {}; w=30 x=10 y=20 z=30"},
		want: `
			pessimistic two-shards: T1 ok {}; T2 waits aborted {}; x=10 y=20 z=30
			optimistic snapshot:    T1 ok {}; T2 ok {}; w=30 x=10 y=20 z=30
			T1-locks snapshot:      T1 ok {}; T2 ok {}; w=30 x=10 y=20 z=30
			else:                   T1 ok {}; T2 aborted {}; x=10 y=20 z=30`,
	},
	{
		name: "G2 of two edges, which a reader sees",
		init: "x=10 y=20",
		script: `
			T1 begin
			T1 scan
			T2 begin
			T2 get y
			T2 set y y+5
			T2 commit
			T3 begin
			T3 scan
			T3 commit
			T1 set x 0
			T1 commit`,
		skewed: []string{"T1 ok {x=10,y=20}; T2 ok y=20; T3 ok {x=10,y=25}; x=0 y=25"},
		want: `
			optimistic serializable: T1 aborted {x=10,y=20}; T2 ok y=20; T3 ok {x=10,y=25}; x=10 y=25
			T2-locks serializable:   T1 aborted {x=10,y=20}; T2 ok y=20; T3 ok {x=10,y=25}; x=10 y=25
			optimistic snapshot:     T1 ok {x=10,y=20}; T2 ok y=20; T3 ok {x=10,y=25}; x=0 y=25
			T2-locks snapshot:       T1 ok {x=10,y=20}; T2 ok y=20; T3 ok {x=10,y=25}; x=0 y=25
			else:                    T1 ok {x=10,y=20}; T2 waits ok y=20; T3 waits ok {x=0,y=25}; x=0 y=25`,
	},
	{
		name: "long fork",
		init: "x=10 y=20",
		script: `
			T4 begin
			T1 begin
			T2 begin
			T4 get y
			T2 set y 21
			T2 commit
			T3 begin
			T3 get y
			T3 get x
			T1 set x 11
			T1 commit
			T4 get x
			T3 commit
			T4 commit`,
		bad: []string{"T1 ok; T2 ok; T3 ok y=21 x=10; T4 ok y=20 x=11; x=11 y=21"},
		want: `
			pessimistic: T1 ok; T2 waits ok; T3 waits ok y=21 x=11; T4 ok y=20 x=11; x=11 y=21
			T1-locks:    T1 ok; T2 ok; T3 aborted y=21 x=10; T4 ok y=20 x=10; x=11 y=21
			T2-locks:    T1 ok; T2 waits ok; T3 ok y=20 x=10; T4 ok y=20 x=11; x=11 y=21
			optimistic:  T1 ok; T2 ok; T3 ok y=21 x=10; T4 ok y=20 x=10; x=11 y=21`,
	},
	{
		name: "causal reverse",
		init: "x=10 y=20",
		script: `
			T1 begin
			T3 begin
			T3 get x
			T1 set x 11
			T1 commit
			T2 begin after T1
			T2 set y 21
			T2 commit
			T3 get y
			T3 commit`,
		bad: []string{"T1 ok; T2 ok; T3 ok x=10 y=21; x=11 y=21"},
		want: `
			optimistic: T1 ok; T2 ok; T3 ok x=10 y=20; x=11 y=21
			T2-locks:   T1 ok; T2 ok; T3 ok x=10 y=20; x=11 y=21
			one-shard:  T1 ok; T2 ok; T3 aborted x=10; x=11 y=21
			two-shards: T1 ok; T2 ok; T3 aborted x=10 y=21; x=11 y=21`,
	},
	{
		name: "the second writer is the older one",
		init: "x=10 y=20",
		script: `
			T2 begin
			T1 begin
			T1 set x 11
			T2 set x 12
			T2 set y 22
			T1 set y 21
			T1 commit
			T2 commit`,
		bad: []string{"T1 ok; T2 ok; x=12 y=21", "T1 ok; T2 ok; x=11 y=22"},
		want: `
			pessimistic one-shard:  T1 aborted; T2 ok; x=12 y=22
			pessimistic two-shards: T1 waits ok; T2 ok; x=11 y=21
			T2-locks serializable one-shard: T1 waits ok; T2 ok; x=11 y=21
			T2-locks serializable two-shards:
				T1 waits ok; T2 ok; x=11 y=21
				T1 waits aborted; T2 ok; x=12 y=22
				T1 aborted; T2 ok; x=12 y=22
			T2-locks snapshot one-shard:  T1 waits aborted; T2 ok; x=12 y=22
			T2-locks snapshot two-shards: T1 waits aborted; T2 ok; x=12 y=22 | T1 aborted; T2 ok; x=12 y=22
			serializable: T1 ok; T2 ok; x=12 y=22
			snapshot:     T1 ok; T2 aborted; x=11 y=21`,
	},
	{
		name: "writers in a circle",
		init: "x=10 y=20",
		script: `
			T1 begin
			T2 begin
			T1 set x 11
			T2 set y 22
			T1 set y 21
			T2 set x 12
			T2 commit
			T1 commit`,
		bad: []string{"T1 ok; T2 ok; x=11 y=22", "T1 ok; T2 ok; x=12 y=21"},
		want: `
			pessimistic one-shard:  T1 ok; T2 aborted; x=11 y=21
			pessimistic two-shards: T1 ok; T2 waits ok; x=12 y=22
			T1-locks serializable one-shard: T1 ok; T2 waits ok; x=12 y=22
			T1-locks serializable two-shards:
				T1 ok; T2 waits ok; x=12 y=22
				T1 ok; T2 waits aborted; x=11 y=21
				T1 ok; T2 aborted; x=11 y=21
			T1-locks snapshot one-shard:  T1 ok; T2 waits aborted; x=11 y=21
			T1-locks snapshot two-shards: T1 ok; T2 waits aborted; x=11 y=21 | T1 ok; T2 aborted; x=11 y=21
			serializable: T1 ok; T2 ok; x=11 y=21
			snapshot:     T1 aborted; T2 ok; x=12 y=22`,
	},
}
