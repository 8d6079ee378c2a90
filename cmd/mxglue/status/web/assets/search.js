// The search, and the flush: of the name that was found, or of everything.
import { element } from './element.js';
import { ask, forgetToken, may, trusted } from './ask.js';
import { decide } from './decide.js';
import { bare, everything, explanation, missing } from './found.js';

const form = document.getElementById('search');
const found = document.getElementById('found');
const explains = 'explain' in document.body.dataset;

export function search() {
	form.addEventListener('submit', (event) => {
		event.preventDefault();
		look(form.elements.name.value.trim());
	});
	document.getElementById('flush-all').addEventListener('click', () => flush('.'));
	document.addEventListener('keydown', (event) => {
		if (event.key === '/' && !event.ctrlKey && !event.metaKey && !event.altKey && !event.target.closest('input, textarea, dialog')) {
			event.preventDefault();
			begin();
		}
		if (event.key === 'Escape' && !found.hidden && !document.querySelector('dialog[open]')) close();
	});
}

// look shows what is known of a name. As a POST, what is missing is asked upstream first.
export async function look(name, method = 'GET') {
	if (!name || !(await trusted())) return;
	form.elements.name.value = name;
	if (!explains) return show(name, [everything(name, true)]);
	try {
		const known = await ask('/explain', { name }, method);
		const button = element('button', { type: 'button' }, 'Ask upstream for what is missing');
		button.addEventListener('click', () => look(name, 'POST'));
		show(bare(known.domain), [...explanation(known), missing(known) ? element('p', {}, button) : '', everything(bare(known.domain), false)]);
	} catch (error) {
		refused(name, error, [everything(name, false)]);
	}
}

// show opens the panel; done tells what has been done, after which there is nothing to flush.
function show(name, parts, done) {
	const flushIt = element('button', { type: 'button' }, `Flush ${bare(name)} …`);
	flushIt.addEventListener('click', () => flush(name));
	const away = element('button', { type: 'button', class: 'quiet' }, 'Close');
	away.addEventListener('click', close);
	found.replaceChildren(
		element('div', { class: 'title' }, element('h2', { id: 'found-title' }, name === '.' ? 'The whole cache' : bare(name)), element('div', { class: 'buttons' }, ...(done ? [] : [flushIt]), away)),
		done ? element('p', { role: 'status' }, done) : '', ...parts);
	found.hidden = false;
	found.focus();
	found.scrollIntoView({ block: 'nearest' });
}

function close() {
	found.hidden = true;
	found.replaceChildren();
	begin();
}

// begin lets the user type a name over the last one.
function begin() {
	form.elements.name.focus();
	form.elements.name.select();
}

// refused says why nothing came.
function refused(name, error, parts = []) {
	const off = !('trusted' in document.body.dataset) && may();
	if (off) forgetToken(); // it may have been the wrong one: it is asked for again
	show(name, [element('p', { role: 'alert', class: 'bad' }, error.message), ...parts]);
}

// flush asks whether that is meant, flushes, and tells how much it was.
async function flush(name) {
	if (!(await trusted())) return;
	const dialog = document.getElementById('flush');
	dialog.querySelector('p').textContent = name === '.'
		? 'Everything in the cache is forgotten, and asked for again when somebody wants it.'
		: `Everything known at or below ${bare(name)} is forgotten, with the addresses of its mail hosts, and asked for again when somebody wants it.`;
	if ((await decide(dialog)) !== 'flush') return;
	try {
		const { flushed } = await ask('/flush', { name }, 'POST');
		show(name, [], `Flushed: ${flushed.toLocaleString('en')} ${flushed === 1 ? 'reply is' : 'replies are'} forgotten.`);
	} catch (error) {
		refused(name, error);
	}
}
