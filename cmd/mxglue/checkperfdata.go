package main

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/mxglue/mxglue/smtpprobe"
)

// perfdata are the figures: 'label'=value[UOM];[warn];[crit];[min];[max]. A threshold alone is exceeded by what is more,
// one with a colon behind it by what is less. without is how many exchangers there was no room for.
func (w nagiosWriter) perfdata(o outcome) (figures string, without int) {
	limits := plain(w.thresholds.warning) + ";" + plain(w.thresholds.critical) + ";0"
	figures = "'time'=" + seconds(o.took.Seconds()) + "s;" + limits
	if len(o.MX) == 0 {
		return figures, 0
	}
	up, tried, _ := nagiosCount(o.Report)
	figures += fmt.Sprintf(" 'mx_ok'=%d;%d:;1:;0;%d", up, tried, tried)
	for i, e := range o.MX {
		more := perfdataOf(e, limits)
		if len(figures)+len(more) > nagiosFigures {
			return figures, len(o.MX) - i
		}
		figures += more
	}
	return figures, 0
}

// perfdataOf are the figures of an exchanger, a space before each.
func perfdataOf(e smtpprobe.Exchanger, limits string) (figures string) {
	greeting, ends := 0.0, time.Time{}
	for _, a := range e.Attempts {
		greeting = max(greeting, a.MS.Greeting)
		if t := a.TLS; t != nil && !t.NotAfter.IsZero() && (ends.IsZero() || t.NotAfter.Before(ends)) {
			ends = t.NotAfter
		}
	}
	if greeting > 0 {
		figures += " " + perfLabel("greet_"+e.Name) + "=" + seconds(greeting/1000) + "s;" + limits
	}
	if !ends.IsZero() {
		figures += " " + perfLabel("cert_days_"+e.Name) + fmt.Sprintf("=%d;21:;7:", int(math.Floor(time.Until(ends).Hours()/24)))
	}
	return figures
}

// perfLabel quotes a label and takes out what must not be in one.
func perfLabel(text string) string {
	return "'" + strings.Map(func(r rune) rune {
		if r <= ' ' || r > '~' || r == '\'' || r == '=' || r == '|' {
			return '_'
		}
		return r
	}, text) + "'"
}

// plain writes a threshold in the C locale; none as nothing.
func plain(s float64) string {
	if s == 0 {
		return ""
	}
	return strconv.FormatFloat(s, 'f', -1, 64)
}
