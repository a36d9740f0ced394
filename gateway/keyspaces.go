package gateway

import (
	"context"

	cairnv1 "github.com/cairnkv/cairn/proto/gen/cairn/v1"
)

func (g *Gateway) createKeyspace(
	ctx context.Context, req *cairnv1.CreateKeyspaceRequest,
) (*cairnv1.CreateKeyspaceResponse, error) {
	return nil, invalid("unimplemented", "not built yet")
}

func (g *Gateway) updateKeyspace(
	ctx context.Context, req *cairnv1.UpdateKeyspaceRequest,
) (*cairnv1.UpdateKeyspaceResponse, error) {
	return nil, invalid("unimplemented", "not built yet")
}

func (g *Gateway) deleteKeyspace(
	ctx context.Context, req *cairnv1.DeleteKeyspaceRequest,
) (*cairnv1.DeleteKeyspaceResponse, error) {
	return nil, invalid("unimplemented", "not built yet")
}

func (g *Gateway) listKeyspaces(
	ctx context.Context, req *cairnv1.ListKeyspacesRequest,
) (*cairnv1.ListKeyspacesResponse, error) {
	return nil, invalid("unimplemented", "not built yet")
}

func (g *Gateway) getKeyspace(
	ctx context.Context, req *cairnv1.GetKeyspaceRequest,
) (*cairnv1.GetKeyspaceResponse, error) {
	return nil, invalid("unimplemented", "not built yet")
}
