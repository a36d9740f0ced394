// Package postgres measures PostgreSQL where it is installed: one server with its own defaults, not
// replicated, driven by pgx with a pool of connections. A commit is synced, as by its default.
//
// The server will not run as root; the driver of root runs it as the user postgres.
package postgres
