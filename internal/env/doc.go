// Package env is the seam between Cairn's core and the world: clocks, chance,
// tasks and waiting. The core blocks nowhere else.
//
// Real stands on the machine. The simulator (jepsen/sim) has its own Env that
// runs every task as a coroutine of one goroutine, in an order that a seed
// chooses. Point is the only place where the simulator switches tasks without
// their waiting for something, and the only failpoint.
package env
