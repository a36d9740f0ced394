// Package child starts the servers of a peer as processes of their own and ends them. It does not
// know what they are, nor when they are ready.
package child
