package cli

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
)

// contexts is the file of named settings, of which one set is current.
type contexts struct {
	Current  string                       `json:"current,omitempty"`
	Contexts map[string]map[string]string `json:"contexts"`
}

var contextName = regexp.MustCompile(`^[a-zA-Z0-9_.-]{1,64}$`)

// contextFile is CAIRN_CONFIG, or below the user's directory of such files; empty if there is none.
func (s *session) contextFile() string {
	if file := s.main.Getenv("CAIRN_CONFIG"); file != "" {
		return file
	}
	dir := cmp.Or(s.main.Getenv("XDG_CONFIG_HOME"), s.main.Getenv("AppData"))
	if home := s.main.Getenv("HOME"); dir == "" && home != "" {
		dir = filepath.Join(home, ".config")
	}
	if dir == "" {
		return ""
	}
	return filepath.Join(dir, "cairn", "contexts.json")
}

// readContexts is the file, or none where there is none.
func (s *session) readContexts() (contexts, error) {
	c := contexts{Contexts: make(map[string]map[string]string)}
	file := s.contextFile()
	if file == "" {
		return c, nil
	}
	text, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return c, nil
	}
	if err != nil {
		return c, err
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&c); err != nil {
		return c, usagef("%s: %w", file, err)
	}
	for name, values := range c.Contexts {
		for key := range values {
			if !slices.ContainsFunc(settingList, func(s setting) bool { return s.name == key }) {
				return c, usagef("%s: context %s has no setting %q", file, name, key)
			}
		}
	}
	if c.Contexts == nil {
		c.Contexts = make(map[string]map[string]string)
	}
	return c, nil
}

// writeContexts replaces the file as a whole. Nobody else may read it: it has tokens.
func (s *session) writeContexts(c contexts) error {
	file := s.contextFile()
	if file == "" {
		return usagef("there is no place for contexts: set CAIRN_CONFIG to a file")
	}
	dir := filepath.Dir(file)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	text, err := json.MarshalIndent(c, "", "  ")
	if err != nil {
		return err
	}
	temp, err := os.CreateTemp(dir, ".contexts-*") // which only its owner may read
	if err != nil {
		return err
	}
	_, err = temp.Write(append(text, '\n'))
	if err = errors.Join(err, temp.Sync(), temp.Close()); err == nil {
		err = os.Rename(temp.Name(), file)
	}
	if err != nil {
		return errors.Join(err, os.Remove(temp.Name()))
	}
	return nil
}
