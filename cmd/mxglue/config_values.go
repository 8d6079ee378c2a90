package main

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// A setter knows where the value of a key belongs.
type setter struct {
	// set checks a raw value, as viper has it, and stores it. It returns what is wrong with it, one sentence per wrong
	// value; nothing when all is well.
	set func(raw any) []string
	get func() any      // what is stored
	put func(value any) // stores what another's get has returned

	hidden bool // what is stored is shown to nobody
}

// to is the setter of dst.
func to[T any](dst *T, set func(raw any) []string) setter {
	return setter{set: set, get: func() any { return *dst }, put: func(value any) { *dst = value.(T) }}
}

// A kind of value: how it is read from its text, and what a right one looks like.
type kind[T any] struct {
	parse func(text string) (T, bool)
	want  string // finishes the sentence `"x" is not ...`
}

// one is the setter of a key that has one value.
func one[T any](dst *T, k kind[T]) setter {
	return to(dst, func(raw any) []string {
		text, ok := scalar(raw)
		if ok {
			*dst, ok = k.parse(text)
		}
		if !ok {
			return []string{show(raw) + " is not " + k.want}
		}
		return nil
	})
}

// secret is the setter of a key whose value is shown to nobody, in no error either.
func secret(dst *string, k kind[string]) setter {
	s := to(dst, func(raw any) []string {
		if one(dst, k).set(raw) != nil {
			return []string{"the value (not shown here) is not " + k.want}
		}
		return nil
	})
	s.hidden = true
	return s
}

// list is the setter of a key that has at least so many different values. One string holds several, separated by
// commas or spaces: an environment variable has nothing else.
func list[T comparable](dst *[]T, k kind[T], atLeast int) setter {
	return to(dst, func(raw any) []string {
		var wrong []string
		values := []T{}
		for _, item := range items(raw) {
			var value T
			if bad := one(&value, k).set(item); bad != nil {
				wrong = append(wrong, bad...)
			} else if slices.Contains(values, value) {
				wrong = append(wrong, show(item)+" is listed twice")
			} else {
				values = append(values, value)
			}
		}
		if wrong == nil && len(values) < atLeast {
			wrong = []string{"is empty; it needs at least one, and each " + k.want}
		}
		*dst = values
		return wrong
	})
}

// items are the raw values of a list.
func items(raw any) []any {
	var texts []string
	switch raw := raw.(type) {
	case []any:
		return raw
	case []string: // a flag, which may hold several as well
		for _, text := range raw {
			texts = append(texts, split(text)...)
		}
	case string:
		texts = split(raw)
	default:
		return []any{raw}
	}
	all := make([]any, len(texts))
	for i, text := range texts {
		all[i] = text
	}
	return all
}

func split(text string) []string {
	return strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == ' ' || r == '\t' || r == '\n' })
}

// scalar is the text of a single value; not ok for a list, a map, a date or nothing.
func scalar(raw any) (text string, ok bool) {
	switch raw.(type) {
	case string, bool, int, int64, uint64, float64:
		return fmt.Sprint(raw), true
	}
	return "", false
}

// show renders a raw value for an error, on one line and not endlessly.
func show(raw any) string {
	const most = 80
	text, ok := raw.(string)
	if !ok {
		text = fmt.Sprint(raw)
	}
	if runes := []rune(text); len(runes) > most {
		text = string(runes[:most]) + "…"
	}
	return strconv.Quote(text)
}
