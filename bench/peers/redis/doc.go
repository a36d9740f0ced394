// Package redis measures Redis where it is installed: one server that is not replicated, driven by
// go-redis. Its log is synced as asked: before every answer, or every second as by its default.
package redis
