package main

import (
	"bytes"
	"encoding/json"
	"io"
)

// jsonWriter prints one object a line for each domain: the smtpprobe.Report, as it is.
type jsonWriter struct{ out io.Writer }

func (w jsonWriter) write(o outcome) error {
	var b bytes.Buffer
	if err := json.NewEncoder(&b).Encode(o.Report); err != nil {
		return err
	}
	_, err := w.out.Write(b.Bytes())
	return err
}

func (w jsonWriter) end() error { return nil }
