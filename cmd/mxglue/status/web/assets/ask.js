// Asks the daemon. Off its own host some paths need a token, which the user types once and the tab remembers.
import { decide } from './decide.js';

// may tells whether the paths for trusted clients will answer.
export function may() {
	return 'trusted' in document.body.dataset || token() !== '';
}

// ask returns the JSON of a path, or throws an Error whose message is the sentence that the daemon said.
export async function ask(path, query = {}, method = 'GET') {
	const text = new URLSearchParams(query).toString();
	const headers = token() ? { Authorization: `Bearer ${token()}` } : {};
	let response;
	try {
		response = await fetch(text ? `${path}?${text}` : path, { method, headers, signal: AbortSignal.timeout(20_000) });
	} catch {
		throw new Error('mxglue does not answer.');
	}
	if (!response.ok) throw new Error((await response.text()).trim().slice(0, 300) || `${path}: ${response.status}`);
	return response.json();
}

// trusted makes sure that ask may be called for the paths for trusted clients: it asks for the token if need be.
export async function trusted() {
	if (may()) return true;
	const dialog = document.getElementById('token');
	const input = dialog.querySelector('input');
	input.value = '';
	if ((await decide(dialog)) !== 'token' || !input.value) return false;
	sessionStorage.setItem('token', input.value);
	return true;
}

// forgetToken is for when it was refused.
export function forgetToken() {
	sessionStorage.removeItem('token');
}

function token() {
	return sessionStorage.getItem('token') ?? '';
}
