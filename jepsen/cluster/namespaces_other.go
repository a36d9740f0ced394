//go:build unix && !linux

package cluster

import (
	"errors"
	"net"

	"github.com/cairnkv/cairn/internal/launch"
)

// router is something that only Linux has.
type router struct{}

func newRouter(*links) (*router, error) { return nil, errors.New("Namespaces needs Linux") }

func (*router) admin() *net.Dialer { return nil }

func (*router) enter(Node) (*launch.Launcher, string, error) {
	return nil, "", errors.ErrUnsupported
}

func (*router) close() error { return nil }
