// Sets the theme before anything is painted. The page's button writes it (page.js); without one the system's holds.
'use strict';
try {
	const theme = localStorage.getItem('theme');
	if (theme === 'light' || theme === 'dark') document.documentElement.dataset.theme = theme;
} catch {
	// storage is switched off: the system's theme holds
}
