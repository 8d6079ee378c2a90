package monitor

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mxglue/mxglue/smtpprobe"
)

// withBackup makes a report one of two exchangers: that of a domain, and a backup that takes mail.
func withBackup(r *smtpprobe.Report) {
	backup := report("backup."+r.Domain, smtpprobe.OK).MX[0]
	backup.Preference = 20
	r.MX = append(r.MX, backup)
	if r.Status == smtpprobe.StatusCritical {
		r.Status, r.Verdict = smtpprobe.StatusWarning, smtpprobe.Warning
	}
}

// A backup may stand in for four results, not for more; one good result of the primary and one more clear that.
func TestPrimaryDownForLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.change = withBackup
		m := w.monitor(Options{Domains: []string{"a.example"}})
		w.set(smtpprobe.Refused, "a.example")
		pause := 31*time.Minute + 30*time.Second
		var got []smtpprobe.Status
		for range 6 {
			w.run(m, time.Minute)
			s, _ := m.State("a.example")
			got = append(got, s.Status)
			time.Sleep(pause - time.Minute)
		}
		const none, warning, critical = smtpprobe.Status(""), smtpprobe.StatusWarning, smtpprobe.StatusCritical
		if want := []smtpprobe.Status{none, warning, warning, warning, critical, critical}; !slices.Equal(got, want) {
			t.Errorf("got %v, want %v", got, want)
		}
		w.set(smtpprobe.OK, "a.example")
		w.run(m, 20*time.Minute)
		if s, _ := m.State("a.example"); s.Status != smtpprobe.StatusOK || s.BestDown != 0 {
			t.Errorf("up again: %s, %d", s.Status, s.BestDown)
		}
	})
}

func TestBestDown(t *testing.T) {
	for _, test := range []struct {
		best, equal smtpprobe.Verdict
		down, known bool
	}{
		{smtpprobe.Refused, smtpprobe.NoAddress, true, true},
		{smtpprobe.Refused, smtpprobe.Slow, false, true},
		{smtpprobe.Refused, smtpprobe.LocalError, false, false},
		{smtpprobe.DNSFail, smtpprobe.OK, false, true},
		{smtpprobe.Skipped, smtpprobe.Refused, false, false},
	} {
		r := smtpprobe.Report{MX: []smtpprobe.Exchanger{{Preference: 20, Verdict: smtpprobe.OK}, {Preference: 10, Verdict: test.best}, {Preference: 10, Verdict: test.equal}}}
		if down, known := bestDown(r); down != test.down || known != test.known {
			t.Errorf("%s and %s: down %v, known %v", test.best, test.equal, down, known)
		}
	}
	if down, known := bestDown(smtpprobe.Report{Verdict: smtpprobe.NXDomain}); down || known {
		t.Error("without exchangers none is down")
	}
}

// A run that had to leave the backup alone is no evidence, counts for nothing, and the next comes when the hold ends.
func TestHeldPrimary(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		until := time.Now().Add(20 * time.Minute).UTC()
		w.change = func(r *smtpprobe.Report) {
			withBackup(r)
			if time.Now().Before(until) {
				r.HeldUntil, r.Status = until, smtpprobe.StatusUnknown
			}
		}
		w.set(smtpprobe.Refused, "a.example")
		m := w.monitor(Options{Domains: []string{"a.example"}})
		w.run(m, time.Minute)
		if s, _ := m.State("a.example"); !s.Last.Held || s.Status != "" || len(s.Recent) != 0 || s.BestDown != 0 || !s.Next.Equal(until.Add(heldSpread/2)) {
			t.Errorf("got %+v, %+v; next %v, want %v and half of what chance adds", s.Standing, s.Last, s.Next, until)
		}
		w.run(m, 25*time.Minute)
		if s, _ := m.State("a.example"); s.Last.Held || len(s.Recent) != 1 || s.BestDown != 1 {
			t.Errorf("after the hold: %+v, %+v", s.Standing, s.Last)
		}
	})
}
