/* Draws what the app decided; blocks/offer.liquid has the markup and words. Any failure shows nothing. */
(() => {
	const HIDDEN = 'wellpaired:hidden';
	const VISITOR = 'wellpaired:visitor';
	// ISO 4217; Intl follows CLDR, where HUF has no digits: a price a hundred times too high.
	const NO_DIGITS = 'BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX VND VUV XAF XOF XPF';
	const THREE_DIGITS = 'BHD IQD JOD KWD LYD OMR TND';

	// Storage and consent may throw (private windows, old themes).
	const attempt = (work) => {
		try {
			return work();
		} catch {
			return null;
		}
	};
	const idNumber = (gid) => Number(gid.split('/').pop());
	const hiddenOffers = () => attempt(() => new Set(JSON.parse(sessionStorage.getItem(HIDDEN)))) || new Set();
	const writer = (within) => (name, text) => {
		for (const part of within.querySelectorAll(`[data-wp="${name}"]`)) part.textContent = text;
	};
	const observe = (element, isDone, options) =>
		new IntersectionObserver((seen, self) => isDone(seen.at(-1)) && self.disconnect(), options).observe(element);

	const money = ({ minor_units, currency }, locale) => {
		const digits = NO_DIGITS.includes(currency) ? 0 : THREE_DIGITS.includes(currency) ? 3 : 2;
		const style = { style: 'currency', currency, maximumFractionDigits: digits };
		return new Intl.NumberFormat(locale, style).format(minor_units / 10 ** digits);
	};

	// Answers null while nobody knows.
	const consent = () =>
		new Promise((resolve) => {
			const shopify = window.Shopify;
			const ask = () => resolve(attempt(() => shopify.customerPrivacy.preferencesProcessingAllowed()));
			if (shopify?.customerPrivacy || !shopify?.loadFeatures) return ask();
			setTimeout(ask, 500);
			attempt(() => shopify.loadFeatures([{ name: 'consent-tracking-api', version: '0.1' }], ask));
		});

	const visitorId = (allowed) => {
		if (allowed === false) localStorage.removeItem(VISITOR);
		if (!allowed) return null;
		const id = localStorage.getItem(VISITOR) || crypto.randomUUID();
		localStorage.setItem(VISITOR, id);
		return id;
	};

	const request = async (url, options) => {
		const response = await fetch(url, { headers: { 'Content-Type': 'application/json' }, ...options });
		const answer = await response.json();
		if (!response.ok) throw answer;
		return answer;
	};
	const post = (url, body, options) => request(url, { method: 'POST', body: JSON.stringify(body), ...options });

	class WellpairedOffer extends HTMLElement {
		connectedCallback() {
			if (this.root) return;
			const { root, proxy, design } = this.dataset;
			this.root = root.replace(/\/?$/, '/');
			this.proxy = this.root + proxy.replace(/^\/|\/$/g, '');
			this.inEditor = design === 'true';
			this.onCartPage = this.dataset.placement === 'theme/cart';
			observe(this, (entry) => entry.isIntersecting && this.load(), { rootMargin: '800px 0px' });
		}

		part(name, within = this) {
			return within.querySelector(`[data-wp="${name}"]`);
		}

		async load() {
			const stop = new AbortController();
			const timer = setTimeout(() => stop.abort(), 2000);
			const answer = await this.ask(stop.signal).catch(() => null);
			clearTimeout(timer);
			const cards = attempt(() => this.cards(answer));
			if (cards?.length) this.show(cards);
			else this.giveUp();
		}

		async ask(signal) {
			const found = request(`${this.root}cart.js`, { signal }).catch(() => ({}));
			const [{ items, token }, allowed] = await Promise.all([found, consent()]);
			const visitor = attempt(() => visitorId(allowed));
			const { placement, product, locale, currency, limit } = this.dataset;
			const cart = items?.slice(0, 100).map((line) => `${line.variant_id}:${line.quantity}`);
			const cart_token = token?.split('?')[0];
			const asked = { placement, product, locale, currency, limit, visitor, cart, cart_token };
			const query = new URLSearchParams(Object.entries(asked).filter(([, value]) => value?.length));
			return request(`${this.proxy}/offers?${query}`, { signal });
		}

		cards({ decision_id, offers }) {
			this.decision = decision_id;
			const hidden = hiddenOffers();
			return offers.filter(({ offer_id }) => !hidden.has(offer_id)).map((offer) => this.card(offer));
		}

		// An empty box goes only while it is below the screen: see the style sheet.
		giveUp() {
			this.dataset.state = 'empty';
			if (this.inEditor) return;
			observe(this, (entry) => (this.hidden = !entry.isIntersecting && entry.boundingClientRect.top > 0));
		}

		show(cards) {
			const heading = this.part('heading');
			heading.textContent ||= cards[0].offer.headline;
			for (const card of cards) {
				this.part('headline', card).hidden = card.offer.headline === heading.textContent;
				this.watch(card);
			}
			this.part('rail').append(...cards);
			this.dataset.state = 'shown';
		}

		watch(card) {
			let timer;
			const see = () => {
				if (document.hidden) return;
				clearInterval(timer);
				card.seen = true;
				this.record(card, 'impression');
			};
			const look = (entry) => {
				clearInterval(timer);
				if (entry.intersectionRatio >= 0.5) timer = setInterval(see, 1000);
				return card.seen;
			};
			observe(card, look, { threshold: 0.5 });
		}

		card(offer) {
			const { items, why, headline, total } = offer;
			const card = this.part('card').content.firstElementChild.cloneNode(true);
			const write = writer(card);
			card.offer = offer;
			card.dataset.items = items.length;
			write('headline', headline);
			write('name', items.map((item) => item.title).join(', '));
			write('amount', money(total, this.dataset.locale));
			if (this.dataset.why === 'true') write('why', why?.text);
			this.part('items', card).append(...items.map((item) => this.item(item, card)));
			this.part('total', card).hidden = items.length === 1 && items[0].quantity === 1;
			this.listen(card);
			return card;
		}

		item({ title, variant_title, url, image, quantity, price }, card) {
			const row = this.part('item').content.firstElementChild.cloneNode(true);
			const write = writer(row);
			const link = this.part('title', row);
			const address = new URL(this.root + url.replace(/^\//, ''), location);
			if (address.origin === location.origin) link.href = address;
			link.onclick = () => this.record(card, 'click');
			write('title', title);
			write('variant', variant_title);
			write('quantity', quantity > 1 ? `${quantity} × ` : '');
			write('price', money(price, this.dataset.locale));
			if (image) Object.assign(this.part('image', row), { src: image.url, alt: image.alt || '' });
			return row;
		}

		listen(card) {
			const menu = this.part('snooze', card);
			this.part('accept', card).onclick = () => this.accept(card);
			this.part('dismiss', card).onclick = () => this.dismiss(card, 'dismiss');
			for (const button of menu.querySelectorAll('button')) {
				button.onclick = () => this.dismiss(card, 'snooze', { days: Number(button.dataset.days) });
			}
			card.onkeydown = ({ key }) => {
				if (key !== 'Escape' || card.dataset.step) return;
				if (!menu.open) return this.dismiss(card, 'dismiss');
				menu.open = false;
				menu.firstElementChild.focus();
			};
		}

		async accept(card) {
			if (card.dataset.step) return;
			const { offer } = card;
			const { textAdd, textAdding, textFailed } = this.dataset;
			const problem = this.part('problem', card);
			problem.textContent = '';
			this.mark(card, 'adding', textAdding);
			const items = offer.items.map(({ variant_id, quantity, token }) => {
				return { id: idNumber(variant_id), quantity, properties: { _wp: token } };
			});
			// A theme may add `sections` to what is sent.
			const body = { items };
			this.tell('wellpaired:adding', body);
			try {
				const cart = await post(`${this.root}cart/add.js`, body);
				this.record(card, 'accept');
				await this.replace(offer).catch(() => null);
				this.added(card, cart);
			} catch (refusal) {
				this.mark(card, '', textAdd);
				problem.textContent = refusal?.description || textFailed;
			}
		}

		// In the cart an up-sell replaces as many pieces as it adds.
		async replace({ replaces, items }) {
			if (!replaces || !this.onCartPage) return;
			const cart = await request(`${this.root}cart.js`);
			const line = cart.items.find(({ variant_id }) => variant_id === idNumber(replaces.variant_id));
			const quantity = Math.max(0, line.quantity - items[0].quantity);
			await post(`${this.root}cart/change.js`, { id: line.key, quantity });
		}

		added(card, cart) {
			const { textAdded, textInCart } = this.dataset;
			this.mark(card, 'added', textAdded);
			this.part('dismiss', card).hidden = this.part('snooze', card).hidden = true;
			this.part('cart', card).hidden = this.onCartPage;
			writer(this)('live', `${this.part('name', card).textContent} ${textInCart}`);
			// A theme that redraws its cart page itself calls preventDefault().
			if (this.tell('wellpaired:added', { offer: card.offer, cart }) && this.onCartPage) location.reload();
		}

		mark(card, step, label) {
			card.dataset.step = step;
			this.part('accept', card).setAttribute('aria-disabled', step !== '');
			this.part('label', card).textContent = label;
		}

		dismiss(card, event, details) {
			const hidden = [...hiddenOffers().add(card.offer.offer_id)];
			attempt(() => sessionStorage.setItem(HIDDEN, JSON.stringify(hidden)));
			this.record(card, event, details);
			card.remove();
			if (!this.part('accept')) this.dataset.state = 'done';
			// Not on the next offer's button: a second Enter would add it.
			this.focus();
			writer(this)('live', this.dataset.textHidden);
		}

		tell(name, detail) {
			return document.dispatchEvent(new CustomEvent(name, { cancelable: true, detail }));
		}

		record({ offer }, event, details) {
			if (this.inEditor) return;
			const body = { decision_id: this.decision, offer_id: offer.offer_id, event, ...details };
			post(`${this.proxy}/events`, body, { keepalive: true }).catch(() => null);
		}
	}

	const TAG = 'wellpaired-offer';
	if (!customElements.get(TAG)) customElements.define(TAG, WellpairedOffer);
})();
