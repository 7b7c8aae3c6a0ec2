/* The theme's own script: the consent banner and the number beside "Cart". Every page works without it. */
(() => {
	const banner = document.getElementById('consent');
	const privacy = window.Shopify.customerPrivacy;
	if (banner && privacy.shouldShowBanner()) banner.hidden = false;
	banner?.addEventListener('click', ({ target }) => {
		const answer = target.dataset?.consent;
		if (!answer) return;
		privacy.setTrackingConsent({ analytics: answer === 'yes', preferences: answer === 'yes' });
		banner.hidden = true;
	});

	document.addEventListener('wellpaired:added', async () => {
		const cart = await (await fetch('/cart.js')).json();
		for (const count of document.querySelectorAll('[data-cart-count]')) count.textContent = cart.item_count;
	});
})();
