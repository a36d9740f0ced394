package check

import (
	"strings"
	"testing"
)

func TestControls(t *testing.T) {
	if err := Controls(checkers()); err != nil {
		t.Fatal(err)
	}
}

// TestControlsFail: a checker that accepts or refuses everything does not pass.
func TestControlsFail(t *testing.T) {
	for _, c := range checkers() {
		blind := Checker{Name: c.Name, Check: func(*History) []Anomaly { return nil }}
		if err := Controls([]Checker{blind}); err == nil || !strings.Contains(err.Error(), "does not find") {
			t.Errorf("%s, blind, passes: %v", c.Name, err)
		}
		harsh := Checker{Name: c.Name, Check: func(*History) []Anomaly { return []Anomaly{{Name: "bad"}} }}
		if err := Controls([]Checker{harsh}); err == nil || strings.Count(err.Error(), "which is valid") < 2 {
			t.Errorf("%s, harsh, passes: %v", c.Name, err)
		}
	}
}
