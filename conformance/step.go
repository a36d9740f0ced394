package conformance

import "github.com/cairnkv/cairn/txn"

// Case is a few steps that run one after another on keys of their own.
type Case struct {
	Name    string
	Section string // the file that it is in, such as "set"
	About   string
	Traps   []int // numbers of docs/testing.md's traps that it covers
	Steps   []*Step
}

// Step is one operation and what must come of it.
type Step struct {
	Text  string // as the file has it
	Line  int
	Until bool // try again until the answer is as wanted: for what time brings

	Op       string // see operations
	Tx       string // name of the open transaction that it belongs to
	Keyspace string
	Keys     []string // get, set… have one; mget and mdelete many
	Value    *txn.Value
	Items    []*Step // of mset: sets
	If       Conditions
	TTL      *int64 // milliseconds
	KeepTTL  bool
	NoRev    bool // no_history
	Prev     bool // answer the replaced version
	ID       string
	Message  string
	Eph      bool
	Locking  bool   // for_update
	Revision *int64 // of a read or revert
	AsOf     *Moment
	Select   *Selection
	Limit    int64
	Page     int64 // read all, in pages of so many
	Reverse  bool
	KeysOnly bool
	Cursor   *string // name of the answer's cursor that the page goes on from
	Lower    *txn.Value
	Upper    *txn.Value
	All      bool // require_all
	DryRun   bool
	Begin    Begin
	Options  map[string]int64 // of a keyspace
	Test     *Test            // of execute
	Then     []*Step
	Else     []*Step

	Want []Check
}

// Conditions of a write.
type Conditions struct {
	Absent, Present bool
	Value           *txn.Value
	Revision        *int64
	CommitTS        *Moment
}

// None reports that there are no conditions.
func (c *Conditions) None() bool { return *c == Conditions{} }

// Moment is a commit timestamp: a number, or the name of one that an answer brought.
type Moment struct {
	Name string
	At   int64
}

// Selection says which keys.
type Selection struct {
	By         string // span, prefix, bucket or all
	Start, End string // Start is also the prefix or bucket
	Glob       string
}

// Begin is how a transaction is opened.
type Begin struct{ Pessimistic, Snapshot, ReadOnly bool }

// Test is a tree of conditions: and, or, not over what compares.
type Test struct {
	// Op is and, or, not, value, revision, commit_ts, create_ts, exists, missing, count or unchanged.
	Op       string
	Of       []*Test
	Keyspace string
	Key      string
	Relation string // = != < <= > >=
	Value    *txn.Value
	Number   int64
	Moment   *Moment
	Select   *Selection
}

// Check is one thing that an answer must say.
type Check struct {
	What   string // see wants
	Bool   bool
	Number int64
	Word   string
	Names  []string
	Value  *txn.Value
	Key    string
	Of     []Check // of an item
}

// operation says what words an operation takes.
type operation struct {
	keys   int // that it names; -1: any number
	value  bool
	words  string // options, besides "tx" and "in" which all take
	method string // of the RPC services
}

const writeWords = " nx xx cmp cmprev cmpts ttl keepttl norev prev id message eph"

// operations are all that a step can be.
var operations = map[string]operation{
	"get":          {1, false, "at asof locking eph", "KVService/Get"},
	"exists":       {1, false, "at asof locking eph", "KVService/Exists"},
	"set":          {1, true, writeWords, "KVService/Set"},
	"delete":       {1, false, "xx nx cmp cmprev cmpts prev id message eph", "KVService/Delete"},
	"extend":       {1, false, "ttl id message eph", "KVService/Extend"},
	"ttl":          {1, false, "eph", "KVService/TimeToLive"},
	"increment":    {1, true, writeWords + " lower upper", "KVService/Update"},
	"append":       {1, true, writeWords, "KVService/Update"},
	"min":          {1, true, writeWords, "KVService/Update"},
	"max":          {1, true, writeWords, "KVService/Update"},
	"mget":         {-1, false, "all asof eph locking", "KVService/BatchGet"},
	"mset":         {0, false, "all id message eph", "KVService/BatchSet"},
	"mdelete":      {-1, false, "all id message eph", "KVService/BatchDelete"},
	"range":        {0, false, "limit page reverse keys asof cursor", "KVService/Range"},
	"stream":       {0, false, "limit reverse keys asof", "KVService/RangeStream"},
	"count":        {0, false, "asof", "KVService/Range"},
	"delete-range": {0, false, "dry id message", "KVService/DeleteRange"},
	"history":      {1, false, "limit keys cursor page", "KVService/History"},
	"revert":       {-1, false, "at asof dry id message", "KVService/Revert"},
	"execute":      {0, false, "id message", "TxnService/Execute"},
	"begin":        {0, false, "pessimistic snapshot readonly asof", "TxnService/Begin"},
	"commit":       {0, false, "message", "TxnService/Commit"},
	"rollback":     {0, false, "", "TxnService/Rollback"},
	"make":         {0, false, "options", "KeyspaceService/CreateKeyspace"},
	"change":       {0, false, "options", "KeyspaceService/UpdateKeyspace"},
	"drop":         {0, false, "", "KeyspaceService/DeleteKeyspace"},
	"keyspace":     {0, false, "", "KeyspaceService/GetKeyspace"},
	"keyspaces":    {0, false, "", "KeyspaceService/ListKeyspaces"},
}

// Method is the call of the RPC services that does the step, as "KVService/Get".
func (s *Step) Method() string { return operations[s.Op].method }
