// What was looked up: the explanation of a domain (GET /explain), and all that is known at or below it (GET /dump).
import { element } from './element.js';
import { ask } from './ask.js';

// explanation shows how a domain's mail finds its way, and how that came to be known.
export function explanation(e) {
	const rows = [row(e.mx)];
	for (const host of e.exchangers) {
		const name = host.implicit ? `${bare(host.name)} itself` : `${bare(host.name)}, preference ${host.preference}`;
		rows.push(element('tr', { class: 'host' }, element('th', { scope: 'rowgroup', colspan: 7 }, name)), row(host.a), row(host.aaaa), row(host.tlsa));
	}
	return [
		element('p', { class: 'lead' }, e.known ? e.postfix : `Nothing is known of ${bare(e.domain)}: nobody has asked of late.`),
		e.verdict && element('p', {}, `The prober's last word: ${e.verdict.text}`),
		element('div', { class: 'wide', tabindex: 0, role: 'region', 'aria-label': 'Records' }, element('table', { class: 'records' },
			element('thead', {}, element('tr', {}, ...['question', 'state', 'says', 'source', 'TTL left', 'AD', 'learned'].map((text) => element('th', { scope: 'col' }, text)))),
			element('tbody', {}, ...rows))),
		e.more > 0 && element('p', { class: 'soft' }, `Left out: ${e.more} of worse preference.`),
		...e.routes.map(route),
	].filter(Boolean);
}

// missing tells whether upstream would have to be asked for something.
export function missing(e) {
	return [e.mx, ...e.exchangers.flatMap((host) => [host.a, host.aaaa, host.tlsa])].some((m) => ['unknown', 'stale', 'expired'].includes(m.state));
}

// row is one question. The first of what is known is what counts.
function row(m) {
	const best = m.known[0];
	const says = m.data.length > 0 ? m.data : best && m.state !== 'unknown' ? [best.rcode === 'NOERROR' ? 'no such record' : best.rcode] : [];
	const bad = best?.rank === 'failure';
	return element('tr', {},
		element('th', { scope: 'row' }, m.type),
		element('td', {}, element('span', { class: `pill ${tone(m.state, bad)}` }, bad ? 'failure' : m.state)),
		element('td', { class: 'says' }, ...says.map((text) => element('div', {}, text)), remarks(m, best)),
		element('td', {}, m.source || '–'),
		element('td', { class: 'number' }, m.state === 'live' && best ? `${best.ttl} s` : '–'),
		element('td', {}, best?.ad ? 'AD' : '–'),
		element('td', {}, best ? learned(best) : '–'));
}

// learned is when, from whom and for whom.
function learned({ age, upstream, by, client }) {
	const reason = { client: `for ${client || 'a client'}`, prober: 'for the prober', bundle: 'for a bundle', refresh: 'as a refresh' };
	return `${age} s ago${upstream ? ` from ${upstream}` : ''}, ${reason[by] ?? by}`;
}

function tone(state, bad) {
	if (bad) return 'bad';
	return { live: 'good', configured: 'good', stale: 'warn', expired: 'warn' }[state] ?? 'none';
}

// remarks are what the table has no column for.
function remarks(m, best) {
	const texts = [];
	if (best?.rank === 'glue') texts.push(`glue: answers ${best.client ? `${best.client} alone` : 'its client alone'}, and never who asks for DNSSEC`);
	if (best?.why) texts.push(best.why);
	if (m.claim?.barred) texts.push(`no glue for another ${m.claim.barred} s: ${bare(m.claim.owner || 'another domain')} and ${bare(m.claim.rival || 'another domain')} name it with different addresses`);
	else if (m.claim?.refused) texts.push(`its latest glue was refused: ${m.claim.refused}`);
	return texts.length > 0 ? element('small', {}, texts.join('; ')) : undefined;
}

const policies = { order: 'in this order', fastest: 'the fastest first', race: 'all at once' };

function route(r) {
	const names = r.upstreams.map((u) => `${u.address}${u.down ? ' (down)' : ''}`);
	const where = r.zone && r.zone !== '.' ? ` below ${bare(r.zone)}` : '';
	return element('p', { class: 'soft' }, `What is missing${where} would be asked of ${names.join(', ')}, ${policies[r.policy] ?? r.policy}.`);
}

// everything is a part that fetches and shows all that is known at or below a name once it is opened.
export function everything(name, open) {
	const place = element('div', {}, 'Looking …');
	const part = element('details', { open }, element('summary', {}, `Everything known at or below ${name}`), place);
	const fill = async () => {
		if (!part.open) return;
		try {
			const known = await ask('/dump', { name });
			place.replaceChildren(known.length > 0 ? table(known) : 'Nothing.');
		} catch (error) {
			place.replaceChildren(error.message);
		}
	};
	part.addEventListener('toggle', fill);
	return part;
}

const most = 500; // rows: a page is no place for more

function table(known) {
	const head = ['name', 'type', 'rank', 'state', 'TTL left', 'AD', 'says'];
	return element('div', { class: 'wide', tabindex: 0, role: 'region', 'aria-label': 'Everything known' },
		element('table', { class: 'records' },
			element('thead', {}, element('tr', {}, ...head.map((text) => element('th', { scope: 'col' }, text)))),
			element('tbody', {}, ...known.slice(0, most).map((k) => element('tr', {},
				element('th', { scope: 'row' }, bare(k.name)), element('td', {}, k.type), element('td', {}, k.rank),
				element('td', {}, element('span', { class: `pill ${tone(k.state, k.rank === 'failure')}` }, k.state)),
				element('td', { class: 'number' }, `${k.ttl} s`), element('td', {}, k.ad ? 'AD' : '–'),
				element('td', { class: 'says' }, ...(k.records.length > 0 ? k.records.map((r) => element('div', {}, r.replaceAll('\t', ' '))) : [k.rcode === 'NOERROR' ? 'no such record' : k.rcode])))))),
		known.length > most ? element('p', { class: 'soft' }, `${known.length - most} more: say "mxglue dump".`) : undefined);
}

export function bare(name) {
	return name === '.' ? name : name.replace(/\.$/, '');
}
