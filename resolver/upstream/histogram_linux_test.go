package upstream

import (
	"testing"
	"time"
)

// Both ways of a question are counted, and what is never answered is not.
func TestRoundTripsAreCounted(t *testing.T) {
	u := open(t, "udp", play(t, "127.0.0.1", func(q query) { q.say(q.reply("example.net. 300 IN MX 10 mx.example.net.")) }, nil))
	if _, err := u.Exchange(t.Context(), question, false); err != nil {
		t.Fatal(err)
	}
	a := u.Ask([]byte(mxOfExample), false, time.Now(), patience)
	if a == nil || a.Plain() == nil {
		t.Fatal("no plain response")
	}
	a.Done(time.Now())
	u.Overdue(time.Second)
	if _, all := u.Stats().Times.Buckets(); all != 2 || u.Stats().Times.Total <= 0 {
		t.Errorf("%d round trips of %v in all, want 2", all, u.Stats().Times.Total)
	}
}
