// element makes an element: its properties (class, data-*, aria-* and the like), and its children, where text stays text.
// What the page shows came over the network, so nothing here or elsewhere makes markup out of text.
export function element(tag, properties = {}, ...children) {
	const made = document.createElement(tag);
	for (const [name, value] of Object.entries(properties)) {
		if (value !== undefined && value !== null && value !== false) made.setAttribute(name, value === true ? '' : value);
	}
	made.append(...children.filter((child) => child !== undefined && child !== null));
	return made;
}

// say sets a text only if it is another one, so that what is selected or read out stays.
export function say(node, text) {
	if (node.textContent !== text) node.textContent = text;
}

// ago is how long ago a time was, or will be, in one unit.
export function ago(time, now = Date.now()) {
	const seconds = Math.round((now - new Date(time)) / 1000);
	const size = Math.abs(seconds);
	const [unit, length] = size < 60 ? ['s', 1] : size < 3600 ? ['min', 60] : size < 172800 ? ['h', 3600] : ['d', 86400];
	const text = `${Math.floor(size / length)} ${unit}`;
	return seconds < 0 ? `in ${text}` : `${text} ago`;
}
