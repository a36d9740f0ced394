// Package gateway is Cairn's public face: the Connect, gRPC and gRPC-Web services, the stream that
// the SDK multiplexes its calls over, and the HTTP endpoint, which openapi.json describes.
//
// Each method of the API is one Go function (kv.go, ranges.go, transactions.go, status.go). The
// unary handlers (services.go), the stream (exchange.go) and the HTTP endpoint (routes_http.go) all
// end in these. They check every request before anything else happens, since what lies below takes
// requests as it gets them. errors.go alone knows the codes of Connect and HTTP.
//
// The package decides no transaction and stores nothing but the transactions that its clients have
// open (held.go).
package gateway
