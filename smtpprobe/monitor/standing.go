package monitor

import (
	"fmt"
	"slices"
	"time"

	"github.com/mxglue/mxglue/smtpprobe"
)

// Flapping: how many of the last results are looked at, and how many changes among them begin and end it.
const (
	recentResults = 10
	flapBegins    = 4 // at least
	flapEnds      = 2 // at most
)

// Standing is where a domain stands after several results: what an alarm goes by.
type Standing struct {
	Status   smtpprobe.Status   `json:"status"` // "": one result so far, and a bad one
	Since    time.Time          `json:"since"`  // it has had this status
	Before   smtpprobe.Status   `json:"before"` // of the last result
	Recent   []smtpprobe.Status `json:"recent"` // of the last 10 results, the newest last
	Flapping bool               `json:"flapping"`
	BestDown int                `json:"best_down,omitempty"` // results in a row in which the most preferred exchangers were all down
}

// ranks orders statuses from good to bad, as `mxglue check` does: a domain that surely gets no mail is worse
// than one that could not be looked at.
var ranks = map[smtpprobe.Status]int{
	smtpprobe.StatusOK: 0, smtpprobe.StatusWarning: 1, smtpprobe.StatusUnknown: 2, smtpprobe.StatusCritical: 3,
}

func better(a, b smtpprobe.Status) smtpprobe.Status {
	if ranks[a] <= ranks[b] {
		return a
	}
	return b
}

func worse(a, b smtpprobe.Status) smtpprobe.Status {
	if better(a, b) == a {
		return b
	}
	return a
}

// after is the standing once one more result has come in.
func (s Standing) after(r Result) Standing {
	if r.Held { // no new evidence
		return s
	}
	if r.Blocked { // says nothing about the domain, so the result before it does not count as one of two either
		s.Before = s.Status
		return s
	}
	next := s
	next.Status, next.BestDown = settle(s.Status, s.Before, r.Status), r.BestDown
	if r.BestDown > mostBestDown { // so many in a row need no other to agree
		next.Status = worse(next.Status, r.Status)
	}
	if next.Status != s.Status || s.Since.IsZero() {
		next.Since = r.At
	}
	next.Before = r.Status
	next.Recent = append(slices.Clone(s.Recent), r.Status)
	if n := len(next.Recent) - recentResults; n > 0 {
		next.Recent = next.Recent[n:]
	}
	switch n := changes(next.Recent); {
	case n >= flapBegins:
		next.Flapping = true
	case n <= flapEnds:
		next.Flapping = false
	}
	return next
}

// settle moves a status only as far as the last two results agree: two worse ones raise it to the better of
// them, two better ones lower it to the worse of them. Without a status, a first good result is one.
func settle(status, before, now smtpprobe.Status) smtpprobe.Status {
	switch {
	case status == "" && (before == "" || now == smtpprobe.StatusOK):
		if now == smtpprobe.StatusOK {
			return now
		}
		return ""
	case status == "":
		return better(before, now)
	}
	return better(worse(status, better(before, now)), worse(before, now))
}

// changes counts how often a result differs from the one before it.
func changes(recent []smtpprobe.Status) int {
	n := 0
	for i := 1; i < len(recent); i++ {
		if recent[i] != recent[i-1] {
			n++
		}
	}
	return n
}

// standingEvents are what has happened between two standings of a domain.
func standingEvents(domain string, was, is Standing, r Result) []Event {
	var events []Event
	add := func(kind Kind, from, to, text string) {
		events = append(events, Event{At: r.At, Domain: domain, Kind: kind, Was: from, Is: to, Text: clip(domain + text)})
	}
	if is.Flapping != was.Flapping {
		kind, text := FlapBegins, fmt.Sprintf(" is flapping: %d changes in the last %d results.", changes(is.Recent), len(is.Recent))
		if was.Flapping {
			kind, text = FlapEnds, " is no longer flapping."
		}
		add(kind, "", "", text)
	}
	switch {
	case is.Status == was.Status || was.Status == "" && is.Status == smtpprobe.StatusOK: // the first good result is no news
	case is.Status == smtpprobe.StatusOK:
		add(StatusChanged, string(was.Status), string(is.Status), " is ok again: "+r.Reason)
	default:
		add(StatusChanged, string(was.Status), string(is.Status), " is "+string(is.Status)+": "+r.Reason)
	}
	return events
}
