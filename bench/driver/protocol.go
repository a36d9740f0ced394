package driver

import "github.com/cairnkv/cairn/bench/load"

// request is a line to a driver.
type request struct {
	Run load.Run `json:"run"`
}

// reply is a line of a driver. The first one says that it is ready; then there is one for each
// request, with a result or an error.
type reply struct {
	Ready  bool         `json:"ready,omitempty"`
	Result *load.Result `json:"result,omitempty"`
	Error  string       `json:"error,omitempty"`
}
