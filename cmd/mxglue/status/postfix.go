package status

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/mxglue/mxglue/resolver"
)

// maxPostfixAddresses is how many addresses Postfix tries at most (postconf(5), smtp_mx_address_limit).
const maxPostfixAddresses = 5

// postfix says in a sentence what a Postfix with its defaults would do with mail for the domain, and whether DANE
// (smtp_tls_security_level = dane) would hold. Sources: postconf(5), RFC 5321 §5.1, RFC 7505 §4.1, RFC 7672 §2.2.
func postfix(e resolver.Explanation) string {
	switch {
	case e.MX.Missing():
		return fmt.Sprintf("Postfix would wait for the MX of %s first (%s).", bare(e.Domain), e.MX.State)
	case e.MX.Rcode == "NXDOMAIN":
		return fmt.Sprintf("Postfix would return the mail: %s does not exist.", bare(e.Domain))
	case failed(e.MX):
		return fmt.Sprintf("Postfix would keep the mail and try again later: no upstream could tell the MX%s.", because(e.MX.Best().Why))
	case len(e.Exchangers) == 0:
		return fmt.Sprintf("Postfix would return the mail: the null MX of %s says that it takes none.", bare(e.Domain))
	}
	return deliver(e)
}

// deliver is the sentence for a domain whose exchangers are known.
func deliver(e resolver.Explanation) string {
	var order, missing, failing []string
	addresses, preference := 0, uint16(0)
	for _, host := range e.Exchangers {
		var here []string
		questions := []resolver.Memory{host.A, host.AAAA}
		if _, err := netip.ParseAddr(bare(host.Name)); err == nil {
			here, questions = []string{bare(host.Name)}, nil // RFC 5321 §5.1 wants a name; Postfix connects all the same, and asks nothing
		}
		for _, m := range questions {
			switch {
			case m.Missing():
				missing = append(missing, question(m))
			case failed(m):
				failing = append(failing, question(m))
			default:
				here = append(here, m.Data...)
			}
		}
		text := fmt.Sprintf("%s (%s)", bare(host.Name), strings.Join(here, ", "))
		switch {
		case here == nil:
			continue
		case order != nil && preference == host.Preference:
			order[len(order)-1] += " or " + text // at random
		default:
			order = append(order, text)
		}
		addresses, preference = addresses+len(here), host.Preference
	}
	sentence := "Postfix would "
	if missing != nil {
		sentence += "wait for " + strings.Join(missing, ", ") + ", then "
	}
	switch {
	case order != nil:
		sentence += "try " + strings.Join(order, ", then ")
	case missing != nil:
		return strings.TrimSuffix(sentence, ", then ") + ": no address is known yet."
	case failing != nil:
		return sentence + "keep the mail and try again later: no upstream could tell " + strings.Join(failing, ", ") + "."
	default:
		return sentence + "return the mail: no exchanger has an address."
	}
	if addresses > maxPostfixAddresses {
		sentence += fmt.Sprintf(", %d addresses at most", maxPostfixAddresses)
	}
	return sentence + "; " + daneWord(e) + "."
}

// question is what is asked, as people write it.
func question(m resolver.Memory) string { return bare(m.Name) + " " + m.Type }

// bare is a name without the final dot.
func bare(name string) string { return strings.TrimSuffix(name, ".") }

// failed says whether a question is answered SERVFAIL from memory.
func failed(m resolver.Memory) bool { return m.State == resolver.Live && m.Rcode == "SERVFAIL" }

// daneWord says for which exchangers DANE is usable, and why not for the others.
func daneWord(e resolver.Explanation) string {
	var verdicts []string
	hosts := map[string][]string{}
	for _, host := range e.Exchangers {
		verdict := daneOf(host)
		if hosts[verdict] == nil {
			verdicts = append(verdicts, verdict)
		}
		hosts[verdict] = append(hosts[verdict], bare(host.Name))
	}
	for i, verdict := range verdicts {
		if len(verdicts) > 1 {
			verdicts[i] += " for " + strings.Join(hosts[verdict], ", ")
		}
	}
	text := "DANE is " + strings.Join(verdicts, ", ")
	if hosts[daneUsable] != nil && !e.MX.Best().AD {
		text += ", though the MX answer, which is not authentic, may name any host"
	}
	return text
}

const daneUsable = "usable"

// daneOf says whether DANE is usable for one exchanger.
func daneOf(host resolver.Exchanger) string {
	switch {
	case host.TLSA.State == resolver.Needless || host.A.State == resolver.Configured && host.AAAA.State == resolver.Configured:
		return "not usable (addresses not authentic)"
	case !authentic(host.A) && !authentic(host.AAAA):
		return "not known (no authentic address yet, which glue never is)"
	case host.TLSA.Missing():
		return "not known (TLSA " + string(host.TLSA.State) + ")"
	case failed(host.TLSA):
		return "failing (TLSA cannot be found out: with DANE the host is passed over)"
	case len(host.TLSA.Data) == 0:
		return "not usable (no TLSA record)"
	case !host.TLSA.Best().AD:
		return "not usable (TLSA not authentic)"
	case !slices.ContainsFunc(host.TLSA.Data, usable):
		return "not usable (TLSA of no use: TLS is required, and not checked)"
	}
	return daneUsable
}

func authentic(m resolver.Memory) bool { return m.State == resolver.Live && m.Best().AD }

// usable says whether a TLSA record is one that a mail server can use: DANE-TA(2) or DANE-EE(3) (RFC 7672 §3.1), of a
// known selector and matching type (RFC 7671 §2).
func usable(data string) bool {
	fields := strings.Fields(data)
	return len(fields) > 3 && slices.Contains([]string{"2", "3"}, fields[0]) &&
		slices.Contains([]string{"0", "1"}, fields[1]) && slices.Contains([]string{"0", "1", "2"}, fields[2])
}

// because continues a sentence with a reason, if there is one.
func because(why string) string {
	if why == "" {
		return ""
	}
	return " (" + why + ")"
}
