// The monitored domains (GET /monitor): how each stands, and, opened, its mail hosts by stage (GET /monitor?domain=).
import { ago, element } from './element.js';
import { ask } from './ask.js';

const every = 15_000; // ms
const results = 60; // of a domain's history
const stages = ['DNS', 'connect', 'greeting', 'TLS', 'certificate', 'DANE', 'MTA-STS'];

// watch shows the monitor's word, and renews it.
export function watch() {
	const section = document.getElementById('monitor');
	const list = document.getElementById('domains');
	const parts = new Map();
	const renew = async () => {
		if (document.hidden) return;
		const all = await ask('/monitor', { n: 20 }).catch(() => null);
		if (!all) return;
		section.hidden = false;
		for (const domain of all.domains) {
			if (!parts.has(domain.domain)) parts.set(domain.domain, new Domain(domain.domain, bad(domain.status) && parts.size < 5));
			parts.get(domain.domain).show(domain);
		}
		const order = all.domains.map((domain) => parts.get(domain.domain).node);
		if (order.some((node, i) => list.children[i] !== node) || list.children.length !== order.length) list.replaceChildren(...order);
		document.getElementById('events').replaceChildren(...(all.events.length > 0 ? all.events.map(event) : [element('li', { class: 'soft' }, 'None so far.')]));
	};
	renew();
	setInterval(renew, every);
}

const bad = (status) => status === 'critical' || status === 'warning';
const tones = { ok: 'good', warning: 'warn', critical: 'bad', unknown: 'none' };

function event(e) {
	return element('li', {}, element('time', { datetime: e.at }, ago(e.at)), e.domain ? element('b', {}, e.domain) : '', element('span', {}, e.text));
}

class Domain {
	constructor(name, open) {
		this.name = name;
		this.line = element('summary');
		this.matrix = element('div', {}, 'Looking …');
		this.node = element('details', { class: 'card domain', open }, this.line, this.matrix);
		this.node.addEventListener('toggle', () => this.#load());
	}

	show(domain) {
		const status = domain.status || 'not settled yet';
		const last = domain.last?.reason ?? '';
		this.line.replaceChildren(
			element('b', {}, this.name), element('span', { class: `pill ${tones[domain.status] ?? 'none'}` }, status),
			domain.flapping ? element('span', { class: 'pill warn' }, 'flapping') : '',
			strip(domain.recent ?? [], 'the last results'), element('span', { class: 'soft' }, domain.status ? `for ${ago(domain.since).replace(' ago', '')} · ${last}` : last));
		this.#load();
	}

	async #load() {
		if (!this.node.open) return;
		try {
			const { state, results: history } = await ask('/monitor', { domain: this.name, n: results });
			this.matrix.replaceChildren(matrix(state), element('p', { class: 'soft history' }, `The last ${history.length} probes, the newest right: `, strip(history.map((r) => r.status).reverse(), 'probes')));
		} catch (error) {
			this.matrix.replaceChildren(error.message);
		}
	}
}

// strip is a history as a row of ticks; whoever does not see them hears how many there are of each.
function strip(statuses, what) {
	const counts = Object.keys(tones).map((s) => [s, statuses.filter((is) => is === s).length]).filter(([, n]) => n > 0);
	return element('span', { class: 'strip', role: 'img', 'aria-label': `${what}: ${counts.map(([s, n]) => `${n} ${s}`).join(', ')}` },
		...statuses.map((status) => element('i', { class: tones[status] ?? 'none' })));
}

// matrix is mail hosts by stage. What the last probe did not look at, the last that went to TLS did.
function matrix(state) {
	return element('div', { class: 'wide', tabindex: 0, role: 'region', 'aria-label': `Mail hosts of ${state.domain}` }, element('table', { class: 'matrix' },
		element('thead', {}, element('tr', {}, element('th', { scope: 'col' }, 'mail host'), ...stages.map((name) => element('th', { scope: 'col' }, name)), element('th', { scope: 'col' }, 'what it said'))),
		element('tbody', {}, ...(state.report.mx ?? []).map((host) => {
			const deep = state.deep?.mx?.find((other) => other.exchanger === host.exchanger) ?? host;
			const made = attempt(host);
			return element('tr', {}, element('th', { scope: 'row' }, host.exchanger, ' ', element('small', {}, String(host.preference))),
				...cells(host, made, deep, (state.deep ?? state.report).mta_sts).map(([tone, text]) => element('td', {}, element('span', { class: `pill ${tone}` }, text))),
				element('td', { class: 'says' }, host.detail || made?.greeting || '–'));
		}))));
}

// attempt is the connection that counts: the first that was greeted with 220, else the first that was made.
function attempt(host) {
	const made = host.attempts.filter((a) => !['skipped', 'blocked_address', 'local_error'].includes(a.verdict));
	return made.find((a) => a.verdict === 'ok' || a.verdict === 'slow') ?? made[0];
}

const none = ['none', '–'];
const words = (verdict) => verdict.replaceAll('_', ' ').replaceAll('-', ' ');

// cells are [tone, text] for each of the stages.
function cells(host, made, deepHost, sts) {
	const dns = ['nxdomain', 'dns_fail', 'no_address', 'ip_literal'].includes(host.verdict);
	if (dns) return [['bad', words(host.verdict)], ...Array(stages.length - 1).fill(none)];
	const first = ['good', host.ad ? 'ok, AD' : 'ok'];
	if (!made) return [first, ...Array(stages.length - 1).fill(none)];
	if (['refused', 'timeout_connect', 'unreachable'].includes(made.verdict)) {
		return [first, ['bad', words(made.verdict)], none, none, none, dane(deepHost), policy(sts)];
	}
	const connected = ['good', ms(made.ms?.connect)];
	const up = made.verdict === 'ok' || made.verdict === 'slow';
	const greeted = up ? [made.verdict === 'ok' ? 'good' : 'warn', `${made.code}, ${ms(made.ms?.greeting)}`] : ['bad', words(made.verdict)];
	return [first, connected, greeted, ...encryption(attempt(deepHost)?.tls), dane(deepHost), policy(sts)];
}

function encryption(tls) {
	if (!tls) return [none, none];
	if (!tls.established) return [tls.offered ? ['bad', 'failed'] : ['warn', 'not offered'], none];
	const good = tls.verdict === 'ok';
	return [['good', tls.version ?? 'ok'], good ? ['good', tls.not_after ? `ends ${ago(tls.not_after)}` : 'ok'] : ['warn', words(tls.verdict)]];
}

function dane(host) {
	const status = host.dane?.status;
	if (!status || status === 'none' || status === 'unknown') return ['none', status ?? '–'];
	if (status !== 'secure') return [status === 'unusable' ? 'warn' : 'bad', status];
	const match = attempt(host)?.tls?.dane;
	return match ? [match.ok ? 'good' : 'bad', match.ok ? 'matches' : 'no match'] : ['good', 'secure'];
}

function policy(sts) {
	if (!sts || sts.status === 'none' || sts.status === 'unknown') return ['none', sts?.status ?? '–'];
	return sts.status === 'ok' ? ['good', sts.mode] : ['bad', words(sts.status)];
}

function ms(value) {
	return value > 0 ? `${Math.round(value)} ms` : 'ok';
}
