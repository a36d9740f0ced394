// Package transport makes the HTTP server and the HTTP client that Cairn speaks with: HTTP/2
// without TLS beside HTTP/1.1 on the server, HTTP/2 alone on the client, with the limits that
// streams of many small messages need. Small requests by themselves go by HTTP/1.1 (post.go). A
// request of HTTP/1.1 may also become a connection of another protocol (upgrade.go), on the same
// port.
package transport
