package check

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
)

// controls are histories by checker: controls/cycle/G1c.jsonl is one that the
// checker "cycle" must refuse for G1c, controls/cycle/valid.2.jsonl one that it
// must accept. What stands between the first dot and .jsonl tells several of a
// kind apart.
//
//go:embed controls
var controls embed.FS

// Controls shows each checker the histories that are known to be bad, and some
// that are good. An error means that the checker is broken: what it accepts
// proves nothing.
func Controls(checkers []Checker) error {
	var errs []error
	for _, c := range checkers {
		files, err := fs.Glob(controls, path.Join("controls", c.Name, "*.jsonl"))
		if err != nil {
			return err
		}
		bad := 0
		for _, file := range files {
			want, _, _ := strings.Cut(path.Base(file), ".")
			if want != "valid" {
				bad++
			}
			errs = append(errs, control(c, file, want))
		}
		if bad == 0 {
			errs = append(errs, fmt.Errorf("checker %s has no history that it must refuse", c.Name))
		}
	}
	return errors.Join(errs...)
}

func control(c Checker, file, want string) error {
	f, err := controls.Open(file)
	if err != nil {
		return err
	}
	h, err := Read(f)
	if err = errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	found := c.Check(h)
	switch {
	case want == "valid" && len(found) > 0:
		return fmt.Errorf("checker %s refuses %s, which is valid: %v", c.Name, file, found[0])
	case want != "valid" && !among(found, want):
		return fmt.Errorf("checker %s does not find %s in %s; it finds %v", c.Name, want, file, found)
	}
	return nil
}

func among(found []Anomaly, name string) bool {
	return slices.ContainsFunc(found, func(a Anomaly) bool { return a.Name == name })
}
