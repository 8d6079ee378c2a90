package sts

import (
	"fmt"

	"github.com/mxglue/mxglue/smtpprobe/lookup"
)

// Status is how far the way from the record to the policy led.
type Status string

// The statuses. With any but OK a sender that has no policy in its cache delivers as if there were none.
const (
	None          Status = "none"           // no record
	OK            Status = "ok"             // a policy; Mode tells which
	RecordInvalid Status = "record_invalid" // records that no sender uses
	FetchError    Status = "fetch_error"    // a record, and no way to the policy
	PolicyInvalid Status = "policy_invalid" // a policy that no sender uses
	Unknown       Status = "unknown"        // the question for the record failed, or the caller had no time for the policy
)

// The modes of a policy (RFC 8461 5).
const (
	ModeEnforce = "enforce" // an exchanger that fails gets no mail
	ModeTesting = "testing" // it gets mail, and its owner a report
	ModeNone    = "none"    // as if there were no policy
)

// The classes of failures (RFC 8460 4.3).
const (
	codeFetch  = "sts-policy-fetch-error"
	codePolicy = "sts-policy-invalid"
	codeWebPKI = "sts-webpki-invalid"
)

// Result is the outcome of one Look.
type Result struct {
	Status     Status   `json:"status"`
	ID         string   `json:"id,omitempty"`         // of the record
	Mode       string   `json:"mode,omitempty"`       // enforce, testing, none
	MaxAge     int      `json:"max_age,omitempty"`    // seconds
	MX         []string `json:"mx,omitempty"`         // patterns, lower case
	Detail     string   `json:"detail"`               // one sentence, with the evidence
	Rule       string   `json:"rule"`                 // that decided the status: "RFC 8461 §3.3"
	Code       string   `json:"code,omitempty"`       // of the failure, RFC 8460 4.3
	Remembered bool     `json:"remembered,omitempty"` // a failure of the last five minutes, not tried again
	Warnings   []string `json:"warnings,omitempty"`   // sentences
}

// settle gives the result its status, with the reason.
func (r Result) settle(status Status, rule, format string, args ...any) Result {
	r.Status, r.Rule, r.Detail = status, rule, lookup.Clip(fmt.Sprintf(format, args...), 512)
	return r
}

// warn adds a sentence.
func (r *Result) warn(format string, args ...any) {
	r.Warnings = append(r.Warnings, lookup.Clip(fmt.Sprintf(format, args...), 512))
}
