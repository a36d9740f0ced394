package postgres

import (
	"maps"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/cairnkv/cairn/bench/load"
	"github.com/cairnkv/cairn/bench/peers/child"
)

// processes are the server and what it has forked until now: one process for each connection, and
// those that write in the background; they are reported as one. Each one's memory includes what all
// share. Those that vacuum come and go and are left out.
func processes(set *child.Set) map[int]load.Usage {
	started := set.Processes()
	all := maps.Clone(started)
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return all
	}
	for _, name := range stats {
		text, err := os.ReadFile(name)
		if err != nil {
			continue // it has ended
		}
		pid, parent, ok := family(string(text))
		title, _ := os.ReadFile(filepath.Join(filepath.Dir(name), "cmdline"))
		_, ours := started[parent]
		if ok && ours && !strings.Contains(string(title), "autovacuum worker") {
			all[pid] = load.Usage{Role: "server", Name: "forked"}
		}
	}
	return all
}

// family reads a process's id and its parent's from a line of /proc/PID/stat, where the name, in
// parentheses, may hold anything.
func family(stat string) (pid, parent int, ok bool) {
	id, _, _ := strings.Cut(stat, " ")
	fields := strings.Fields(stat[strings.LastIndexByte(stat, ')')+1:])
	if len(fields) < 2 {
		return 0, 0, false
	}
	pid, errPID := strconv.Atoi(id)
	parent, errParent := strconv.Atoi(fields[1])
	return pid, parent, errPID == nil && errParent == nil
}
