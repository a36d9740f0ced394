// Package cluster runs a cluster of real processes, each behind links of its own that can be cut,
// slowed down and mended, one way at a time. It does what it is told and judges nothing; only
// Close complains: of processes that ended although nobody had asked for that (Expect allows it),
// and of logs that tell of a panic, a fatal error or a data race.
//
// The links are proxies in this process (links.go). Every process has its own address for each of
// the others; the debug build dials that one where a list of members names the real one. So
// addresses, identities and hosts are as in any cluster, and still each link of an ordered pair of
// nodes is one that nobody else uses. What a cut link would have carried is lost, as it is when
// packets are for longer than anybody repeats them: a connection that has lost something ends once
// the link is mended, and none can be opened until then: whoever dials waits (door.go), as long as
// his patience is. A process that does not listen refuses to be dialled, as without proxies.
//
// github.com/Shopify/toxiproxy/v2 v2.12.0 was tried and does something else: it accepts and opens
// connections while a link is cut, ends all of them in an orderly way when it is mended, also those
// that have lost nothing, makes an orderly end of a reset, does not count, and would bring twenty
// packages along, with a metrics registry and a log of its own.
//
// With Options.Namespaces every node has a network namespace with an address, and what it sends is
// packets (namespaces_linux.go). A one-way cut loses acknowledgements too, connections survive, and
// kernels send again what was lost when they think it is time: nearer to a real network, and slower
// to come back. The router is in this process: bridges, veth and blackhole routes would do for
// cuts, but kernels without netem, as those of small virtual machines often are, delay nothing.
//
// Start with cluster.go and links.go; founding.go is how a cluster comes to be, node.go what can be
// done to one of its processes, evidence.go what they leave behind.
package cluster
