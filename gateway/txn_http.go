package gateway

import (
	"net/http"
	"strings"

	cairnv1 "github.com/cairnkv/cairn/proto/gen/cairn/v1"
	"github.com/cairnkv/cairn/txn"
)

// txnBody is a one-shot transaction.
type txnBody struct {
	noteIn
	If   listIn[conditionIn] `json:"if"`
	Then listIn[opIn]        `json:"then"`
	Else listIn[opIn]        `json:"else"`
}

// opBody is an operation of a transaction.
type opBody interface {
	op(keyspace string) (*cairnv1.Op, *txn.Error)
}

// opIn is an operation under its name. It is done in the transaction's keyspace, or in its own.
type opIn struct {
	Keyspace    string         `json:"keyspace"`
	Get         *getIn         `json:"get"`
	Set         *setOpIn       `json:"set"`
	Delete      *deleteIn      `json:"delete"`
	Exists      *existsIn      `json:"exists"`
	Extend      *extendIn      `json:"extend"`
	TTL         *ttlIn         `json:"ttl"`
	Range       *rangeIn       `json:"range"`
	Increment   *incrementIn   `json:"increment"`
	Append      *appendIn      `json:"append"`
	Min         *minIn         `json:"min"`
	Max         *maxIn         `json:"max"`
	DeleteRange *deleteRangeIn `json:"delete_range"`
	Revert      *revertIn      `json:"revert"`
}

// named is the operation, and its name.
func (o *opIn) named() (name string, body opBody, failed *txn.Error) {
	var names []string
	for _, all := range []struct {
		name  string
		body  opBody
		given bool
	}{
		{"get", o.Get, o.Get != nil},
		{"set", o.Set, o.Set != nil},
		{"delete", o.Delete, o.Delete != nil},
		{"exists", o.Exists, o.Exists != nil},
		{"extend", o.Extend, o.Extend != nil},
		{"ttl", o.TTL, o.TTL != nil},
		{"range", o.Range, o.Range != nil},
		{"increment", o.Increment, o.Increment != nil},
		{"append", o.Append, o.Append != nil},
		{"min", o.Min, o.Min != nil},
		{"max", o.Max, o.Max != nil},
		{"delete_range", o.DeleteRange, o.DeleteRange != nil},
		{"revert", o.Revert, o.Revert != nil},
	} {
		if all.given {
			name, body = all.name, all.body
			names = append(names, name)
		}
	}
	switch len(names) {
	case 0:
		return "", nil, badRequest("operation_missing", "an operation names nothing to do")
	case 1:
		return name, body, nil
	default:
		return "", nil, badRequest("operation_ambiguous",
			"one operation names %s; make one of each", strings.Join(names, ", "))
	}
}

// ops is a branch and the names of its operations.
func ops(branch string, in []opIn, keyspace string) ([]*cairnv1.Op, []string, *txn.Error) {
	out, names := make([]*cairnv1.Op, len(in)), make([]string, len(in))
	for i := range in {
		name, body, failed := in[i].named()
		if failed != nil {
			return nil, nil, within(failed, "/%s/%d", branch, i)
		}
		where := keyspace
		if in[i].Keyspace != "" {
			where = in[i].Keyspace
		}
		if out[i], failed = body.op(where); failed != nil {
			return nil, nil, within(failed, "/%s/%d/%s", branch, i, name)
		}
		names[i] = name
	}
	return out, names, nil
}

type txnOut struct {
	Succeeded bool             `json:"succeeded"`
	CommitTS  int64            `json:"commit_ts"`
	Results   []map[string]any `json:"results"`
}

func (g *Gateway) serveTxn(
	w http.ResponseWriter, r *http.Request, t *httpTarget,
) (failed *txn.Error) {
	var body txnBody
	if failed = readBody(w, r, &body); failed != nil {
		return failed
	}
	req := &cairnv1.ExecuteRequest{}
	if req.If, failed = conditionsOf("/if", body.If, t.keyspace); failed != nil {
		return failed
	}
	var then, otherwise []string
	if req.Then, then, failed = ops("then", body.Then, t.keyspace); failed != nil {
		return failed
	}
	if req.Else, otherwise, failed = ops("else", body.Else, t.keyspace); failed != nil {
		return failed
	}
	n, failed := t.note(&body.noteIn)
	if failed != nil {
		return failed
	}
	req.RequestId, req.Message = n.requestID, n.message
	resp, failed := call(r.Context(), g, methodExecute, req, (*Gateway).executeProgram)
	if failed != nil {
		return failed
	}
	ran, names := req.GetThen(), then
	if !resp.GetSucceeded() {
		ran, names = req.GetElse(), otherwise
	}
	out := &txnOut{
		Succeeded: resp.GetSucceeded(), CommitTS: resp.GetCommitTs(),
		Results: make([]map[string]any, len(ran)),
	}
	for i, res := range resp.GetResults() {
		out.Results[i] = map[string]any{names[i]: opAnswer(ran[i], res)}
	}
	writeJSON(w, http.StatusOK, out)
	return nil
}

// opAnswer is the same as the answer to the operation alone.
func opAnswer(op *cairnv1.Op, res *cairnv1.OpResult) any {
	switch r := res.GetResponse().(type) {
	case *cairnv1.OpResult_Get:
		return getAnswer(op.GetGet().GetKey(), r.Get)
	case *cairnv1.OpResult_Set:
		return setAnswer(r.Set)
	case *cairnv1.OpResult_Delete:
		return deleteAnswer(r.Delete)
	case *cairnv1.OpResult_Exists:
		return existsAnswer(r.Exists)
	case *cairnv1.OpResult_Extend:
		return extendAnswer(r.Extend)
	case *cairnv1.OpResult_Range:
		return listingOf(r.Range)
	case *cairnv1.OpResult_Update:
		return updateAnswer(r.Update)
	case *cairnv1.OpResult_TimeToLive:
		return ttlAnswer(r.TimeToLive)
	case *cairnv1.OpResult_DeleteRange:
		return deleteRangeAnswer(r.DeleteRange)
	default:
		return revertAnswer(res.GetRevert())
	}
}
