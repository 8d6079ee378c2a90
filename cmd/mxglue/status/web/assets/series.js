// The history: Points as GET /series and GET /live tell them, and the columns that the charts draw.
import { ask } from './ask.js';

// Both ranges: the seconds between Points, how many there are, and over how many a rate and the hit rate are taken. Mail
// comes in bursts: over one second a rate would be noise.
export const ranges = {
	1: { step: 1, length: 600, rate: 10, share: 60, words: 'means of 10 s' },
	60: { step: 60, length: 1440, rate: 1, share: 10, words: 'means of 1 min' },
};

export class Series {
	constructor(range) {
		this.range = range;
		this.points = [];
	}

	// load fetches the whole history.
	async load() {
		this.points = (await ask('/series', { step: this.range.step })).points;
	}

	// add takes one more Point.
	add(point) {
		const last = this.points.at(-1);
		if (last && Math.floor(last.t / this.range.step) >= Math.floor(point.t / this.range.step)) return;
		this.points.push(point);
		if (this.points.length > this.range.length) this.points.shift();
	}

	// times is the x of every chart.
	times() {
		return this.points.map((p) => p.t);
	}

	// rate is what happened a second, of a counter f(point); null until there is a whole mean.
	rate(f) {
		const whole = this.range.rate * this.range.step;
		return this.#over(this.range.rate, (was, is) => (is.t - was.t < whole ? null : (f(is) - f(was)) / (is.t - was.t)));
	}

	// share is part(point) of whole(point), in percent; null where nothing happened.
	share(part, whole) {
		return this.#over(this.range.share, (was, is) => {
			const all = whole(is) - whole(was);
			return all > 0 ? (100 * (part(is) - part(was))) / all : null;
		});
	}

	#over(steps, f) {
		return this.points.map((is, i) => {
			const was = this.points[Math.max(0, i - steps)];
			return was === is || is.hits < was.hits ? null : f(was, is); // the first, or counters that began again
		});
	}

	// upstreams are the addresses that appear.
	upstreams() {
		return [...new Set(this.points.flatMap((p) => p.round_trip.map((r) => r.upstream)))];
	}

	// roundTrips is how far away one upstream was, in ms; null while it was down.
	roundTrips(upstream) {
		return this.points.map((p) => p.round_trip.find((r) => r.upstream === upstream)?.ms ?? null);
	}
}
