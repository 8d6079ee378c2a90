// The page's beginning: everything that needs JavaScript. What the daemon does not offer stays hidden.
import { say } from './element.js';
import { busiest } from './busiest.js';
import { Charts } from './charts.js';
import { listen, show } from './live.js';
import { watch } from './monitor.js';
import { look, search } from './search.js';

const offers = document.body.dataset;
document.documentElement.classList.add('script');

search();
if ('busiest' in offers) busiest(look);
if ('monitor' in offers) watch();
const charts = 'live' in offers ? new Charts(document.getElementById('charts')) : null;
if (charts) {
	listen({
		open: () => charts.show(),
		event: (news) => {
			show(news);
			charts.add(news.point);
		},
	});
}
theme();

// theme turns the button into a switch of three: the system's theme, light, dark.
function theme() {
	const button = document.getElementById('theme');
	const root = document.documentElement;
	const names = { '': 'system', light: 'light', dark: 'dark' };
	const order = Object.keys(names);
	const tell = () => {
		say(button.querySelector('span'), names[root.dataset.theme ?? '']);
		charts?.repaint();
	};
	button.addEventListener('click', () => {
		const next = order[(order.indexOf(root.dataset.theme ?? '') + 1) % order.length];
		if (next) root.dataset.theme = next;
		else delete root.dataset.theme;
		try {
			localStorage.setItem('theme', next);
		} catch {
			// storage is switched off: it holds until the page is left
		}
		tell();
	});
	matchMedia('(prefers-color-scheme: dark)').addEventListener('change', tell);
	tell();
}
