// Package etcd measures etcd: members from its published module, each a process with the flags of
// the etcd command, driven by one clientv3 client with its defaults.
//
// Every commit is synced to the log, as etcd does by default. Old revisions are not compacted,
// also by default, so the quota is raised to let a run end.
package etcd
