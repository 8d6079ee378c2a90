package doctor

import (
	"cmp"
	"context"
	"crypto/rand"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/miekg/dns"
)

// idle is how long a mail server may go without a new question before that is worth a word.
const idle = 24 * time.Hour

// daemonPatience is how long the daemon may take to tell of itself.
const daemonPatience = 5 * time.Second

// checkDaemon asks the running daemon how it does.
func (d *Doctor) checkDaemon(ctx context.Context) []Finding {
	const check = "daemon"
	ctx, cancel := context.WithTimeout(ctx, daemonPatience)
	defer cancel()
	running, err := d.Daemon.Status(ctx)
	if err != nil {
		return []Finding{fail(check, "systemctl status mxglue; if it does not run: systemctl start mxglue", "%v", err)}
	}
	since := fmt.Sprintf("mxglue %s has been serving for %s; queries so far: %d", running.Version, brief(running.Up), running.Queries)
	if running.Trouble != "" {
		return []Finding{fail(check, "see upstream below, and mxglue stats", "%s, but %s", since, running.Trouble)}
	}
	return []Finding{ok(check, "%s", since), d.checkClients(ctx)}
}

// checkClients looks for a mail server's questions of this machine among those that the cache remembers.
func (d *Doctor) checkClients(ctx context.Context) Finding {
	const check = "clients"
	const advice = "see nameserver and postfix below; then send a mail to another domain"
	asked, err := d.Daemon.Asked(ctx, ".")
	if err != nil {
		return unknown(check, "run mxglue doctor where the daemon runs", "%v", err)
	}
	asked = slices.DeleteFunc(asked, func(q Question) bool { return strings.HasPrefix(q.Name, ownPrefix) })
	mail := slices.DeleteFunc(slices.Clone(asked), func(q Question) bool { return q.Type != "MX" })
	switch {
	case len(asked) == 0:
		return warn(check, advice, "nobody on this machine has asked the daemon anything, as far as it remembers")
	case len(mail) == 0:
		return warn(check, advice, "programs on this machine ask the daemon, the latest %s ago, but for no MX, as a mail server would", brief(latest(asked)))
	case latest(mail) > idle:
		return warn(check, advice, "the latest new MX question of this machine came %s ago", brief(latest(mail)))
	}
	return ok(check, "this machine asks for MX, the latest new one %s ago", brief(latest(mail)))
}

// latest is how long ago the youngest of some questions was put.
func latest(asked []Question) time.Duration {
	return slices.MinFunc(asked, func(a, b Question) int { return cmp.Compare(a.Ago, b.Ago) }).Ago
}

// wayPatience is how long libc waits for an answer (resolv.conf(5), timeout).
const wayPatience = 5 * time.Second

// checkWay asks the first nameserver as libc would, for a name that nobody has asked for before, and then the daemon
// whether it knows that name.
func (d *Doctor) checkWay(ctx context.Context, at netip.AddrPort) Finding {
	const check = "way"
	name := randomName("invalid")
	client := dns.Client{Timeout: wayPatience}
	if _, _, err := client.ExchangeContext(ctx, new(dns.Msg).SetQuestion(name, dns.TypeA), at.String()); err != nil {
		return fail(check, "mxglue stats; journalctl -u mxglue", "%s does not answer: %v", at, cause(err))
	}
	ctx, cancel := context.WithTimeout(ctx, daemonPatience)
	defer cancel()
	switch asked, err := d.Daemon.Asked(ctx, name); {
	case err != nil:
		return unknown(check, "run mxglue doctor where the daemon runs", "%s answers, but whether that is the daemon it does not say: %v", at, err)
	case len(asked) == 0:
		return warn(check, "ss -lnup 'sport = 53' shows who listens there",
			"%s answers, but the daemon at status.listen does not remember the question: is another name server there?", at)
	}
	return ok(check, "a question to %s reaches the daemon", at)
}

// ownPrefix is how the names begin that only the doctor asks for.
const ownPrefix = "mxglue-doctor-"

// randomName is a name that nobody has asked for, below a zone.
func randomName(zone string) string {
	return dns.Fqdn(ownPrefix + strings.ToLower(rand.Text())[:12] + "." + zone)
}

// brief writes a duration with one unit or two.
func brief(d time.Duration) string {
	switch {
	case d < time.Millisecond:
		return "less than 1 ms"
	case d < time.Second:
		return fmt.Sprintf("%d ms", d.Milliseconds())
	case d < time.Minute:
		return fmt.Sprintf("%d s", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%d min", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h %d min", int(d.Hours()), int(d.Minutes())%60)
	}
	return fmt.Sprintf("%d days", int(d.Hours()/24))
}
