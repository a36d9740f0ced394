//go:build mutants

package shard

import (
	"testing"

	"github.com/cairnkv/cairn/internal/mutant"
)

// TestMutants shows that the crash test finds bugs that were planted, and
// after how many crashes.
func TestMutants(t *testing.T) {
	for _, m := range []struct {
		name  mutant.Name
		seeds uint64 // within which it must be found
	}{
		{mutant.AckBeforeSync, 20},
		{mutant.R13, 5},
		{mutant.R14, 20},
	} {
		t.Run(string(m.name), func(t *testing.T) {
			t.Setenv("CAIRN_MUTANT", string(m.name))
			for seed := uint64(1); seed <= m.seeds; seed++ {
				if err := runCrashes(seed); err != nil {
					t.Logf("%s is found within %d crashes: %v", m.name, seed*crashesPerSeed, err)
					return
				}
			}
			t.Errorf("%s is not found in %d crashes", m.name, m.seeds*crashesPerSeed)
		})
	}
}

// TestDirected: each bug has a test that is about it, and that fails with it.
func TestDirected(t *testing.T) {
	for _, d := range []struct {
		name mutant.Name
		test string
	}{
		{mutant.L1ServeEarly, "TestScenarios/refusal"},
		{mutant.L1StartEarly, "TestStaleTimestampStartsNoLeadership"},
		{mutant.L3Base, "TestScenarios/refusal"},
		{mutant.L3Age, "TestScenarios/refusal"},
		{mutant.L4, "TestGroupClaimWaits"},
		{mutant.L5, "TestScenarios/refusal"},
		{mutant.V3, "TestReaderBumpsFirst"},
		{mutant.V4, "TestScenarios/validate"},
		{mutant.R4, "TestTransferEndsLease"},
		{mutant.R8, "TestTransferIsNotPassedOn"},
		{mutant.R13, "TestLogRaisesCommit"},
		{mutant.R14, "TestTruncation"},
		{mutant.T1, "TestGroupLeaseEnds"},
		{mutant.T6, "TestScenarios/push"},
		{mutant.VoteGate, "TestGateHoldsVotes"},
		{mutant.MaxTS, "TestScenarios/push"},
		{mutant.C4, "TestScenarios/replay_moved"},
		{mutant.C6, "TestScenarios/replay"},
		{mutant.C7, "TestScenarios/collect"},
		{mutant.C12, "TestScenarios/request_commit"},
		{mutant.C12Window, "TestScenarios/request_window"},
		{mutant.C12Since, "TestScenarios/request_since"},
		{mutant.C12Window, "TestRequestsHappenOnce"},
		{mutant.M1, "TestScenarios/foreign"},
		{mutant.M6, "TestReaderTellsNothingOld"},
		{mutant.M14, "TestReaderTakesAllAtOnce"},
		{mutant.K2, "TestScenarios/lock_reads"},
		{mutant.K3, "TestScenarios/lock_commit"},
		{mutant.C1, "TestScenarios/staging"},
		{mutant.C8, "TestScenarios/staging"},
		{mutant.A1, "TestScenarios/replay"},
		{mutant.A6, "TestScenarios/collect"},
		{mutant.A2, "TestScenarios/staging"},
		{mutant.A3, "TestScenarios/hot_key"},
		{mutant.A4, "TestScenarios/refusal"},
		{mutant.A7, "TestScenarios/collect"},
		{mutant.A10, "TestScenarios/foreign"},
		{mutant.A11, "TestScenarios/foreign"},
		{mutant.A12, "TestScenarios/validate"},
		{mutant.A12Latch, "TestScenarios/validate"},
	} {
		t.Run(string(d.name), func(t *testing.T) { mutant.Fails(t, d.name, d.test) })
	}
}
