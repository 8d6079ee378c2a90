// One chart: uPlot, with a legend of our own that shows the values under the cursor, or the latest.
import uPlot from './uplot/uPlot.esm.js';
import { element, say } from './element.js';

const clock = new Intl.DateTimeFormat([], { hour: '2-digit', minute: '2-digit', hourCycle: 'h23' });
const clockSeconds = new Intl.DateTimeFormat([], { hour: '2-digit', minute: '2-digit', second: '2-digit', hourCycle: 'h23' });
const height = 170; // px
const together = uPlot.sync('time'); // the cursors of all charts

// number writes a value with as many digits as are worth reading.
export function number(value) {
	if (value === null || value === undefined) return '–';
	const digits = Math.abs(value) >= 100 || Number.isInteger(value) ? 0 : Math.abs(value) >= 10 ? 1 : 2;
	return value.toLocaleString('en', { maximumFractionDigits: digits });
}

// Chart draws lines: [{ name, colour (a class of page.css), stacked, dashed }].
export class Chart {
	constructor({ title, unit, lines, top, help }) {
		this.unit = unit;
		this.top = top; // the least that the y axis shows
		this.legend = element('ul', { class: 'legend' });
		this.canvas = element('div', { class: 'plot', role: 'img' });
		this.when = element('time');
		this.title = title;
		this.help = element('span', {}, help);
		this.node = element('figure', { class: 'card chart' },
			element('figcaption', {}, element('b', {}, title), ' ', this.help, this.when), this.legend, this.canvas);
		this.use(lines);
		new ResizeObserver(() => this.#fit()).observe(this.canvas);
	}

	// use draws other lines from now on.
	use(lines) {
		this.lines = lines;
		this.plot?.destroy();
		this.plot = null;
		this.legend.replaceChildren(...(lines.length === 0 ? [element('li', { class: 'soft' }, 'nothing yet')] : []), ...lines.map((line) => element('li', {}, element('i', { class: `swatch ${line.colour}` }), `${line.name} `, element('b'))));
	}

	// draw shows columns: the times, then the values of each line.
	draw([times, ...values]) {
		this.values = values;
		let sum = times.map(() => 0);
		const shown = this.lines.map((line, i) => {
			if (!line.stacked) return values[i];
			sum = sum.map((below, at) => (values[i][at] === null ? below : below + values[i][at]));
			return sum.map((above, at) => (values[i][at] === null ? null : above));
		});
		// The highest of a stack is painted first, and those below it over it.
		const order = this.lines.map((_, i) => i).reverse();
		const data = [times, ...order.map((i) => shown[i])];
		if (this.plot) this.plot.setData(data);
		else this.#make(order, data);
		this.#tell();
	}

	#make(order, data) {
		const ink = (name) => () => colours(name);
		this.plot = new uPlot({
			width: Math.max(this.canvas.clientWidth, 200), height, legend: { show: false }, padding: [8, 26, 0, 0],
			cursor: { y: false, drag: { x: false, y: false }, sync: { key: together.key }, points: { size: 6 } },
			scales: {
				x: { time: true, range: (_, min, max) => [Math.min(min, max - 60), max] },
				y: { range: (_, min, max) => [0, Math.max(this.top, (max ?? 0) * 1.08)] },
			},
			axes: [
				{ stroke: ink('soft'), grid: { show: false }, ticks: { stroke: ink('line'), size: 4 }, size: 26, space: 70, values: (_, all) => all.map((t) => (all[1] - all[0] < 60 ? clockSeconds : clock).format(t * 1000)) },
				{ stroke: ink('soft'), grid: { stroke: ink('line'), width: 1 }, ticks: { show: false }, size: 46, space: 28, values: (_, all) => all.map(number) },
			],
			series: [{}, ...order.map((i) => {
				const line = this.lines[i];
				return {
					stroke: ink(line.colour), fill: line.stacked ? ink(line.colour) : undefined, width: line.stacked ? 1 : 2,
					dash: line.dashed ? [5, 4] : undefined, points: { show: false }, spanGaps: !line.stacked && !line.gaps,
				};
			})],
			hooks: { setCursor: [() => this.#tell()] },
		}, data, this.canvas);
	}

	// tell writes the legend, and for who does not see the chart what it shows last.
	#tell() {
		if (!this.plot) return;
		const times = this.plot.data[0];
		const at = this.plot.cursor.idx ?? times.length - 1;
		const pointed = this.plot.cursor.idx != null;
		say(this.when, pointed && times[at] ? clockSeconds.format(times[at] * 1000) : '');
		const texts = this.lines.map((_, i) => `${number(this.values[i][at])} ${this.unit}`);
		texts.forEach((text, i) => say(this.legend.children[i].querySelector('b'), text));
		if (!pointed) this.canvas.setAttribute('aria-label', `${this.title}, now: ${this.lines.map((line, i) => `${line.name} ${texts[i]}`).join(', ')}`);
	}

	#fit() {
		if (this.plot && this.canvas.clientWidth > 0) this.plot.setSize({ width: this.canvas.clientWidth, height });
	}

	// repaint takes the colours of another theme.
	repaint() {
		this.plot?.redraw(false);
	}
}

// colours are those that page.css gives to a class, in the theme that holds.
const known = new Map();
function colours(name) {
	if (!known.has(name)) {
		const probe = document.body.appendChild(element('i', { class: `swatch ${name}`, hidden: true }));
		known.set(name, getComputedStyle(probe).backgroundColor);
		probe.remove();
	}
	return known.get(name);
}

export function forgetColours() {
	known.clear();
}
