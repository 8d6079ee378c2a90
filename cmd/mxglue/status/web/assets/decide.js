// decide opens a dialog and returns the value of the button that closed it; '' if that was Escape.
export async function decide(dialog) {
	dialog.returnValue = '';
	dialog.showModal();
	do { // the event may be a late one, of when it was closed before
		await new Promise((closed) => dialog.addEventListener('close', closed, { once: true }));
	} while (dialog.open);
	return dialog.returnValue;
}
