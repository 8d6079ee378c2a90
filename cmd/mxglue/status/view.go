package status

import (
	"strings"

	g "maragu.dev/gomponents"
	h "maragu.dev/gomponents/html"
)

// A view is what the places of web/page.html, such as {{figures}}, are filled with. Its markup is made of components, which
// escape what they are given. (html/template finds methods by name. For its sake the linker would keep every exported method of
// every type in use: an eighth of the binary, and 1.4 MiB of an idle daemon.)
type view struct {
	Snapshot

	// What the page's scripts can ask for. They do not try: a browser logs every 404 and 403 as an error.
	live, busiest, explain, monitor bool
	trusted                         bool // without a token
}

// fill returns the page with all its places filled. It goes through it once: what fills a place is not searched for others.
func (v view) fill(page string) string {
	title, state, class, search := "mxglue", "Working", "good", "/dump"
	if v.Trouble() != "" {
		title, state, class = "Trouble · mxglue", "Trouble", "bad"
	}
	if v.explain {
		search = "/explain"
	}
	notes := v.Notes()
	return strings.NewReplacer(
		"{{title}}", markup(g.Text(title)),
		"{{abilities}}", markup(h.Data("version", v.Version), flag(v.live, "data-live"), flag(v.busiest, "data-busiest"),
			flag(v.explain, "data-explain"), flag(v.monitor, "data-monitor"), flag(v.trusted, "data-trusted")),
		"{{version}}", markup(g.Text(v.Version)),
		"{{state}}", markup(h.P(h.ID("state"), h.Class("pill "+class), g.Text(state))),
		"{{uptime}}", markup(g.Text(v.Uptime())),
		"{{search}}", markup(h.Action(search)),
		"{{saved}}", markup(g.Map(v.Tiles(), v.saved().tile)),
		"{{hidden}}", markup(flag(len(notes) == 0, "hidden")),
		"{{notes}}", markup(g.Map(notes, item)),
		"{{columns}}", markup(g.Map(upstreamColumns, heading)),
		"{{upstreams}}", markup(g.Map(v.lines(), upstreamLine.row)),
		"{{domains}}", markup(v.Monitor.view()),
		"{{figures}}", markup(g.Map(v.Sections(), Section.card)),
	).Replace(page)
}

// markup renders nodes, or the attributes of one.
func markup(nodes ...g.Node) string {
	var b strings.Builder
	for _, n := range nodes {
		if n != nil {
			n.Render(&b) // a Builder takes everything
		}
	}
	return b.String()
}

// flag is an attribute that is there or not.
func flag(there bool, name string) g.Node { return g.If(there, g.Attr(name)) }

func item(text string) g.Node    { return h.Li(g.Text(text)) }
func heading(text string) g.Node { return h.Th(h.Scope("col"), g.Text(text)) }
func cell(text string) g.Node    { return h.Td(g.Text(text)) }

// stateCell is red where something is bad.
func stateCell(text string, bad bool) g.Node {
	return h.Td(g.If(bad, h.Class("bad")), g.Text(text))
}

// figure is the box of a figure, which the page's scripts find by its key.
func (s Section) figure(f Figure, children ...g.Node) g.Node {
	return h.Div(h.Data("figure", s.Key(f)), g.Group(children))
}

func (s Section) tile(f Figure) g.Node {
	return s.figure(f, h.Strong(g.Text(f.Value)), h.B(g.Text(f.Label)), h.Span(g.Text(f.Help)))
}

func (s Section) card() g.Node {
	return h.Section(h.Class("card"), h.H3(g.Text(s.Title)), h.Dl(g.Map(s.Figures, func(f Figure) g.Node {
		return s.figure(f, h.Dt(g.Text(f.Label), h.Span(g.Text(f.Help))), h.Dd(g.Text(f.Value)))
	})))
}

func (u upstreamLine) row() g.Node {
	return h.Tr(h.Th(h.Scope("row"), g.Text(u.Address)), g.Map(u.Cells, cell), stateCell(u.State, u.Failing))
}

// view is the table of monitored domains and what changed there, for browsers without scripts; nil shows nothing.
func (m *Monitored) view() g.Node {
	if m == nil {
		return nil
	}
	events := m.EventLines()
	return h.Section(h.Class("unscripted"), h.Aria("labelledby", "domains-title"),
		h.H2(h.ID("domains-title"), g.Text("Mail domains "), h.Small(g.Text("what the monitor found: "+m.Summary()))),
		h.Div(h.Class("wide"), h.TabIndex("0"), h.Role("region"), h.Aria("label", "Table of mail domains"), h.Table(
			h.THead(h.Tr(heading("domain"), heading("state"), g.Map(m.Columns(), heading), heading("last probe"))),
			h.TBody(g.Map(m.Lines(), monitoredLine.row)),
		)),
		g.If(len(events) > 0, g.Group{h.H3(g.Text("What changed there")), h.Ul(g.Map(events, item))}),
	)
}

func (l monitoredLine) row() g.Node {
	return h.Tr(h.Th(h.Scope("row"), g.Text(l.Domain)), stateCell(l.State, l.Bad), g.Map(l.Cells, cell), cell(l.Reason))
}
