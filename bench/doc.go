// Command bench measures Cairn, and other systems beside it, all under the
// same load: go run ./bench --help.
//
// Each side is a process of its own that starts a system and makes the load
// (bench/driver); this one only says what to run next. Rounds alternate
// between the sides, because what a shared machine can do changes by the
// minute: a ratio counts within a round.
//
// Start with plan.go, then campaign.go.
package main
