// The four charts, and which range they show.
import { Chart, forgetColours } from './chart.js';
import { Series, ranges } from './series.js';

const all = (p) => p.hits + p.misses;
const inks = ['up1', 'up2', 'up3', 'up4', 'up5', 'up6'];

// Charts draws into its section, which stays hidden until there is a history.
export class Charts {
	constructor(section) {
		this.section = section;
		this.saved = new Chart({
			title: 'Saved', unit: '/s', top: 1,
			lines: [{ name: 'follow-ups saved', colour: 'glue', stacked: true }],
		});
		this.answers = new Chart({
			title: 'Answers', unit: '/s', top: 1,
			lines: [
				{ name: 'from glue', colour: 'glue', stacked: true }, { name: 'from a bundle', colour: 'bundle', stacked: true },
				{ name: 'other hits', colour: 'cache', stacked: true }, { name: 'asked upstream', colour: 'miss', stacked: true },
			],
		});
		this.rate = new Chart({
			title: 'Hit rate', unit: '%', top: 100,
			lines: [{ name: 'all hits', colour: 'cache' }, { name: 'glue and bundle', colour: 'glue' }, { name: 'past their TTL', colour: 'miss', dashed: true }],
		});
		this.away = new Chart({ title: 'Round trip', unit: 'ms', top: 1, lines: [] });
		this.charts = [this.saved, this.answers, this.rate, this.away];
		section.querySelector('.charts').append(...this.charts.map((chart) => chart.node));
		for (const choice of section.querySelectorAll('[name=range]')) {
			choice.addEventListener('change', () => this.show(ranges[choice.value]));
		}
		this.range = ranges[1];
		this.series = new Series(this.range);
	}

	// show draws a range, anew.
	async show(range = this.range) {
		this.range = range;
		const series = new Series(range);
		try {
			await series.load();
		} catch {
			return; // mxglue is gone: when the line is up again, this is called again
		}
		if (this.range !== range) return; // another has been chosen meanwhile
		this.series = series;
		this.section.hidden = false;
		for (const chart of [this.saved, this.answers]) chart.help.textContent = `a second, ${range.words}`;
		this.rate.help.textContent = `percent of queries, over ${range.step === 1 ? '1 min' : '10 min'}`;
		this.away.help.textContent = 'to each upstream, smoothed; a gap: it was down';
		this.draw();
	}

	// add draws one more point.
	add(point) {
		this.series.add(point);
		if (!this.section.hidden) this.draw();
	}

	draw() {
		const s = this.series;
		const times = s.times();
		if (times.length < 2) return;
		this.saved.draw([times, s.rate((p) => p.saved)]);
		this.answers.draw([times, s.rate((p) => p.glue), s.rate((p) => p.bundle), s.rate((p) => p.hits - p.glue - p.bundle), s.rate((p) => p.misses)]);
		this.rate.draw([times, s.share((p) => p.hits, all), s.share((p) => p.glue + p.bundle, all), s.share((p) => p.stale, all)]);
		const upstreams = s.upstreams();
		if (upstreams.join(' ') !== this.away.lines.map((line) => line.name).join(' ')) {
			this.away.use(upstreams.map((name, i) => ({ name, colour: inks[i % inks.length], gaps: true })));
		}
		if (upstreams.length > 0) this.away.draw([times, ...upstreams.map((u) => s.roundTrips(u))]);
	}

	// repaint takes the colours of another theme.
	repaint() {
		forgetColours();
		for (const chart of this.charts) chart.repaint();
	}
}
