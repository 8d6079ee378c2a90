// The busiest domains (GET /busiest), as bars.
import { element } from './element.js';
import { ask, may } from './ask.js';

const every = 5000; // ms

// busiest shows them, and renews them; on(domain) is called with one that is chosen.
export function busiest(on) {
	const section = document.getElementById('busiest');
	const list = section.querySelector('ol');
	let shown = '';
	const renew = async () => {
		if (document.hidden || !may()) return;
		const all = await ask('/busiest').catch(() => []);
		const now = JSON.stringify(all);
		if (now === shown) return; // or who holds the focus there would lose it
		shown = now;
		section.hidden = all.length === 0;
		const focused = list.contains(document.activeElement) ? document.activeElement.textContent : '';
		list.replaceChildren(...all.map((busy) => bar(busy, all[0].hits, on)));
		[...list.querySelectorAll('button')].find((button) => button.textContent === focused)?.focus();
	};
	renew();
	setInterval(renew, every);
}

function bar({ domain, hits }, most, on) {
	const name = element('button', { type: 'button', class: 'plain' }, domain);
	name.addEventListener('click', () => on(domain));
	return element('li', {}, name, element('meter', { min: 0, max: most, value: hits, 'aria-hidden': 'true' }), element('span', { class: 'number' }, `${hits.toLocaleString('en')}`));
}
