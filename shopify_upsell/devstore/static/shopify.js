/* What Shopify's own scripts give every storefront page: routes, currency, consent. Settings come from #shopify-page. */
(() => {
	const page = JSON.parse(document.getElementById('shopify-page').textContent);
	const COOKIE = 'consent';

	const choice = () => document.cookie.split('; ').find((part) => part.startsWith(`${COOKIE}=`))?.split('=')[1];
	const allowed = () => choice() === 'yes';

	const customerPrivacy = {
		analyticsProcessingAllowed: allowed,
		marketingAllowed: allowed,
		preferencesProcessingAllowed: allowed,
		saleOfDataAllowed: allowed,
		shouldShowBanner: () => choice() === undefined,
		currentVisitorConsent: () => {
			const answer = { yes: 'yes', no: 'no' }[choice()] || '';
			return { analytics: answer, marketing: answer, preferences: answer, sale_of_data: answer };
		},
		setTrackingConsent: (consent, done) => {
			const answer = (consent === true || consent?.preferences) ? 'yes' : 'no';
			document.cookie = `${COOKIE}=${answer}; path=/; max-age=31536000; samesite=lax`;
			const detail = {
				analyticsAllowed: allowed(),
				marketingAllowed: allowed(),
				preferencesAllowed: allowed(),
				saleOfDataAllowed: allowed(),
			};
			document.dispatchEvent(new CustomEvent('visitorConsentCollected', { detail }));
			done?.();
		},
	};

	window.Shopify = {
		shop: page.shop,
		locale: page.locale,
		country: 'US',
		currency: { active: page.currency, rate: '1.0' },
		routes: { root: '/' },
		designMode: page.designMode,
		theme: { name: 'Dev store', id: 1 },
		customerPrivacy,
		analytics: { publish: () => undefined },
		loadFeatures: (features, done) => setTimeout(() => done?.(), 0),
	};
})();
