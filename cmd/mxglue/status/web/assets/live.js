// What comes every second (GET /live), and the figures that it changes on the page.
import { element, say } from './element.js';

const again = 10_000; // ms between tries where the daemon turns us away, or is gone

// listen calls on.event with each event, and on.open whenever the line is up again after it was down: there is a gap then.
// A tab that nobody sees does not listen: there is not a place for every tab.
export function listen(on) {
	let source = null;
	let timer = 0;
	const down = (text) => {
		say(document.getElementById('link'), text);
	};
	const stop = () => {
		clearTimeout(timer);
		source?.close();
		source = null;
	};
	const start = () => {
		stop();
		source = new EventSource('/live');
		source.onopen = () => {
			down('');
			on.open();
		};
		source.onmessage = (message) => on.event(JSON.parse(message.data));
		source.onerror = () => {
			down('· not live: no word from mxglue');
			if (source?.readyState === EventSource.CLOSED) timer = setTimeout(start, again); // turned away; else it tries itself
		};
	};
	document.addEventListener('visibilitychange', () => (document.hidden ? stop() : start()));
	if (!document.hidden) start();
}

// show puts an event into the page.
export function show(news) {
	if (news.version !== document.body.dataset.version) return location.reload(); // another mxglue has another page
	const state = document.getElementById('state');
	say(state, news.working ? 'Working' : 'Trouble');
	state.className = `pill ${news.working ? 'good' : 'bad'}`;
	document.title = news.working ? 'mxglue' : 'Trouble · mxglue';
	say(document.getElementById('uptime'), news.uptime);
	for (const place of document.querySelectorAll('[data-figure]')) {
		const [value, help] = news.figures[place.dataset.figure] ?? ['–', ''];
		say(place.querySelector('dd, strong'), value);
		say(place.querySelector('span'), help);
	}
	showNotes(news.notes ?? []);
	showUpstreams(news.upstreams);
}

function showNotes(notes) {
	const place = document.getElementById('notes');
	const list = place.querySelector('ul');
	if ([...list.children].map((item) => item.textContent).join('\n') === notes.join('\n')) return;
	list.replaceChildren(...notes.map((note) => element('li', {}, note)));
	place.hidden = notes.length === 0;
}

function showUpstreams(lines) {
	const body = document.querySelector('#upstreams tbody');
	while (body.rows.length > lines.length) body.lastElementChild.remove();
	lines.forEach((line, i) => {
		const texts = [line.address, ...line.cells, line.state];
		const row = body.rows[i] ?? body.appendChild(element('tr', {}, element('th', { scope: 'row' }), ...texts.slice(1).map(() => element('td'))));
		texts.forEach((text, j) => say(row.cells[j], text));
		row.cells[texts.length - 1].className = line.failing ? 'bad' : '';
	});
}
