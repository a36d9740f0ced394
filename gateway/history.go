package gateway

import (
	"context"

	cairnv1 "github.com/cairnkv/cairn/proto/gen/cairn/v1"
)

func (g *Gateway) history(
	ctx context.Context, req *cairnv1.HistoryRequest,
) (*cairnv1.HistoryResponse, error) {
	return nil, invalid("unimplemented", "not built yet")
}
