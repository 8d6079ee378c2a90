package smtpprobe

import (
	"slices"
	"strings"
)

// raise makes the verdict worse where an exchanger says 220 and no more, where plain senders deliver and those
// who demand more do not, and where a certificate that matters ends soon.
func (r *run) raise() {
	var reasons []string
	status := r.report.Status
	worse := func(to Status, reason string) {
		if status != StatusCritical {
			status = to
		}
		reasons = append(reasons, reason)
	}
	stuck := which(r.report.MX, func(e Exchanger) bool { return e.Says220() && e.Senders.Plain == OutcomeDefer })
	switch {
	case len(stuck) > 0 && r.report.Senders.Plain == OutcomeDefer:
		worse(StatusCritical, "no sender gets past the greeting")
	case len(stuck) > 0:
		worse(StatusWarning, "no sender gets past the greeting of "+stuck[0].Name)
	}
	for _, kind := range []struct {
		name string
		of   func(Senders) Outcome
	}{{"DANE", func(s Senders) Outcome { return s.DANE }}, {"MTA-STS", func(s Senders) Outcome { return s.STS }}} {
		some := which(r.report.MX, func(e Exchanger) bool { return !e.Senders.Plain.returns() && kind.of(e.Senders) == OutcomeDefer })
		switch {
		case kind.of(r.report.Senders) == OutcomeDefer && !r.report.Senders.Plain.returns():
			worse(StatusCritical, kind.name+" senders defer")
		case len(some) > 0:
			worse(StatusWarning, kind.name+" senders do not deliver to "+some[0].Name)
		}
	}
	for _, severity := range []Severity{SeverityCritical, SeverityWarning} {
		i := slices.IndexFunc(r.report.Findings, func(f Finding) bool { return f.Code == "certificate_ends" && f.Severity == severity })
		if i >= 0 {
			worse(Status(severity), strings.TrimSuffix(r.report.Findings[i].Text, "."))
			break
		}
	}
	if len(reasons) == 0 || r.report.Status != StatusOK && r.report.Status != StatusWarning {
		return
	}
	verdict := map[Status]Verdict{StatusWarning: Warning, StatusCritical: Critical}[status]
	r.settle(verdict, status, strings.TrimSuffix(r.report.Reason, ".")+"; but "+strings.Join(reasons, ", and ")+".")
}
