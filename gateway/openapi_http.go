package gateway

import (
	_ "embed"
	"net/http"
	"strconv"

	"github.com/cairnkv/cairn/txn"
)

// openAPI describes the HTTP endpoint. A test holds it against the routes.
//
//go:embed openapi.json
var openAPI []byte

func (g *Gateway) serveOpenAPI(
	w http.ResponseWriter, _ *http.Request, _ *httpTarget,
) *txn.Error {
	h := w.Header()
	h.Set("Content-Type", contentJSON)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Length", strconv.Itoa(len(openAPI)))
	_, _ = w.Write(openAPI)
	return nil
}
