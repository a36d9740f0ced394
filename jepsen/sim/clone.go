package sim

import "reflect"

// clone copies a message deeply, as a codec would, so that the two ends of the
// network share no memory. What it cannot look into, it shares.
func clone[T any](v T) T {
	var c T
	cloneInto(reflect.ValueOf(&c).Elem(), reflect.ValueOf(&v).Elem())
	return c
}

func cloneInto(dst, src reflect.Value) {
	switch src.Kind() {
	case reflect.Pointer:
		if src.IsNil() {
			return
		}
		to := reflect.New(src.Type().Elem())
		cloneInto(to.Elem(), src.Elem())
		dst.Set(to)
	case reflect.Slice:
		if src.IsNil() {
			return
		}
		to := reflect.MakeSlice(src.Type(), src.Len(), src.Len())
		if k := src.Type().Elem().Kind(); k == reflect.Uint8 {
			reflect.Copy(to, src)
		} else {
			for i := range src.Len() {
				cloneInto(to.Index(i), src.Index(i))
			}
		}
		dst.Set(to)
	case reflect.Struct:
		dst.Set(src)
		for i := range src.NumField() {
			if src.Type().Field(i).IsExported() {
				cloneInto(dst.Field(i), src.Field(i))
			}
		}
	case reflect.Interface:
		if inner := src.Elem(); inner.Kind() == reflect.Pointer && isMessage(inner.Type()) {
			to := reflect.New(inner.Type()).Elem()
			cloneInto(to, inner)
			dst.Set(to)
			return
		}
		dst.Set(src)
	default:
		dst.Set(src)
	}
}

// isMessage reports whether an interface holds one of the protocol's structs,
// rather than somebody's error.
func isMessage(t reflect.Type) bool {
	return t.Elem().PkgPath() == "github.com/cairnkv/cairn/proto/shardrpc"
}
