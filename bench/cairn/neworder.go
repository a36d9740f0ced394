package cairn

import (
	"context"
	"errors"
	"fmt"

	"github.com/cairnkv/cairn/bench/load"
	"github.com/cairnkv/cairn/client"
)

// New-order is that of TPC-C, but for its numbers: a warehouse has a hundredth of the stock and of
// the customers, so that there are enough warehouses in few keys.
const (
	stockPerWarehouse     = 1000 // and as many items there are
	districtsPerWarehouse = 10
	customersPerDistrict  = 30
	linesMin, linesMax    = 5, 15
	remotePercent         = 1 // of the lines are from another warehouse
	refusedPercent        = 1 // of the orders name an item that there is not
	quantityMax           = 10
	restockBelow          = 10
	restock               = 91
	ordersPerDistrict     = 10_000_000 // room in the numbers of keys
)

// errNoItem rolls an order back; that is one of the ways in which it ends well.
var errNoItem = errors.New("there is no such item")

// order is one to be made.
type order struct {
	warehouse, district, customer int // numbers over all warehouses
	lines                         []line
}

type line struct{ item, warehouse, quantity int }

// of is a key of a warehouse: all of them are on its shard. Items are on all shards.
func (b *bench) of(warehouse int, t table, n int) string { return b.layout.on(warehouse, t, n) }

func (b *bench) stock(l line) string {
	return b.of(l.warehouse, stocks, l.warehouse*stockPerWarehouse+l.item)
}

func (b *bench) district(number int) string {
	return b.of(number/districtsPerWarehouse, districts, number)
}

func (b *bench) customer(number int) string {
	return b.of(number/customersPerDistrict/districtsPerWarehouse, customers, number)
}

// newOrders has as many warehouses as have Keys of stock, and on each shard as many.
func (b *bench) newOrders(ctx context.Context) (load.Op, error) {
	shards := len(b.layout)
	count := max(1, b.run.Keys/stockPerWarehouse/shards) * shards
	if err := b.fillWarehouses(ctx, count); err != nil {
		return nil, err
	}
	return func(ctx context.Context, c *load.Caller) error {
		o := draw(c, count)
		err := b.db.Update(ctx, func(tx *client.Txn) error {
			return b.enter(ctx, &tx.KV, &o, c.Value)
		})
		if errors.Is(err, errNoItem) {
			return nil
		}
		return err
	}, nil
}

// fillWarehouses fills all but the tables of orders, warehouses by turns, so that they are by turns
// on the shards.
func (b *bench) fillWarehouses(ctx context.Context, count int) error {
	each := func(t table, rows int, number int64, key func(n int) string) error {
		return b.fill(ctx, t, rows*count, func(n int) row {
			return row{key(n%count*rows + n/count), withBalance(b.filler(n), number)}
		})
	}
	return errors.Join(
		b.fill(ctx, items, stockPerWarehouse, func(n int) row {
			return row{b.layout.spread(items, n), b.filler(n)}
		}),
		each(warehouses, 1, 0, func(n int) string { return b.of(n, warehouses, n) }),
		each(districts, districtsPerWarehouse, 1, b.district),
		each(customers, districtsPerWarehouse*customersPerDistrict, 0, b.customer),
		each(stocks, stockPerWarehouse, restock, func(n int) string {
			return b.stock(line{item: n % stockPerWarehouse, warehouse: n / stockPerWarehouse})
		}),
	)
}

// draw is what a customer wants.
func draw(c *load.Caller, count int) order {
	warehouse := c.Rand.IntN(count)
	district := warehouse*districtsPerWarehouse + c.Rand.IntN(districtsPerWarehouse)
	o := order{
		warehouse: warehouse, district: district,
		customer: district*customersPerDistrict + c.Rand.IntN(customersPerDistrict),
		lines:    make([]line, linesMin+c.Rand.IntN(linesMax-linesMin+1)),
	}
	var taken [stockPerWarehouse]bool
	for i := range o.lines {
		l := line{
			item: c.Key() % stockPerWarehouse, warehouse: warehouse,
			quantity: 1 + c.Rand.IntN(quantityMax),
		}
		for taken[l.item] { // at most linesMax are
			l.item = (l.item + 1) % stockPerWarehouse
		}
		taken[l.item] = true
		if c.Rand.IntN(100) < remotePercent {
			l.warehouse = c.Rand.IntN(count)
		}
		o.lines[i] = l
	}
	if c.Rand.IntN(100) < refusedPercent {
		o.lines[len(o.lines)-1].item = stockPerWarehouse
	}
	return o
}

// enter makes an order: about 35 keys, of which 23 are written, in four calls and the commit.
func (b *bench) enter(ctx context.Context, kv *client.KV, o *order, value []byte) error {
	number, err := getBalance(ctx, kv, b.district(o.district))
	if err != nil {
		return err
	}
	read := []string{b.of(o.warehouse, warehouses, o.warehouse), b.customer(o.customer)}
	var stock []string
	for _, l := range o.lines {
		read = append(read, b.layout.spread(items, l.item))
		stock = append(stock, b.stock(l))
	}
	found, err := kv.BatchGet(ctx, read, client.BatchGetOptions{})
	if err != nil {
		return err
	}
	for i := range found {
		switch {
		case found[i].Found():
		case i == len(found)-1:
			return errNoItem
		default:
			return fmt.Errorf("%s: %w", read[i], errMissing)
		}
	}
	inStock, err := kv.BatchGet(ctx, stock,
		client.BatchGetOptions{RequireAll: true, ForUpdate: true})
	if err != nil {
		return err
	}
	_, err = kv.BatchSet(ctx, b.written(o, number, inStock, value), client.BatchOptions{})
	return err
}

// written is what an order changes and adds.
func (b *bench) written(
	o *order, number int64, inStock []client.Entry, value []byte,
) []client.SetItem {
	all := make([]client.SetItem, 0, 3+2*len(o.lines))
	set := func(key string, n int64) {
		all = append(all,
			client.SetItem{Key: key, Value: client.BytesValue(withBalance(value, n))})
	}
	id := o.district*ordersPerDistrict + int(number)
	set(b.district(o.district), number+1)
	set(b.of(o.warehouse, orders, id), int64(len(o.lines)))
	set(b.of(o.warehouse, newOrders, id), 0)
	for i, l := range o.lines {
		quantity := balance(inStock[i].Value.Data) - int64(l.quantity)
		if quantity < restockBelow {
			quantity += restock
		}
		set(inStock[i].Key, quantity)
		set(b.of(o.warehouse, orderLines, id*linesMax+i), int64(l.quantity))
	}
	return all
}
