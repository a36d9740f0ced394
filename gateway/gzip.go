package gateway

import (
	"compress/gzip"
	"fmt"
	"io"

	"connectrpc.com/connect"
)

// cappedGzip is a decompressor that stops at a limit. Connect's own inflates a message to its end
// even after it has become too large, only to say how large: a bomb's whole work.
type cappedGzip struct {
	gzip.Reader
	left int64
}

func newCappedGzip() connect.Decompressor { return &cappedGzip{} }

func newGzipWriter() connect.Compressor { return gzip.NewWriter(io.Discard) }

// Reset implements connect.Decompressor.
func (c *cappedGzip) Reset(r io.Reader) error {
	c.left = RequestBytesMax + 1 // one more, so that connect sees that the limit is passed
	return c.Reader.Reset(r)
}

// Read implements connect.Decompressor.
func (c *cappedGzip) Read(p []byte) (int, error) {
	if c.left == 0 {
		return 0, fmt.Errorf("it inflates to more than %d bytes", RequestBytesMax)
	}
	if int64(len(p)) > c.left {
		p = p[:c.left]
	}
	n, err := c.Reader.Read(p)
	c.left -= int64(n)
	return n, err
}
