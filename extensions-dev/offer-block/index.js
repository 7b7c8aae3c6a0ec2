/**
 * The offer block of the theme: asks the app what to show and draws it; blocks/offer.liquid has the markup and words.
 * Any failure shows nothing. Nothing is added to a cart without a click.
 */
import { codesOf, itemsOf, linesOf, linesToChange, makeRoom } from './cart.js';
import { drawCard, greetingOf, part, writer } from './card.js';
import { openPreferences } from './preferences.js';
import { post, request } from './requests.js';
import {
  allows,
  attempt,
  consent,
  hiddenOffers,
  hideOffer,
  isSilent,
  keptLevel,
  snooze,
  visitorId,
} from './shopper.js';

const ANSWER_WITHIN_MS = 2000;

function observe(element, isDone, options) {
  new IntersectionObserver((seen, self) => isDone(seen.at(-1)) && self.disconnect(), options).observe(element);
}

class WellpairedOffer extends HTMLElement {
  connectedCallback() {
    if (this.root) return;
    const { root, proxy, design } = this.dataset;
    this.root = root.replace(/\/?$/, '/');
    this.proxy = this.root + proxy.replace(/^\/|\/$/g, '');
    this.inEditor = design === 'true';
    this.onCartPage = this.dataset.placement === 'theme/cart';
    this.tellClick();
    observe(this, (entry) => entry.isIntersecting && this.load(), { rootMargin: '800px 0px' });
  }

  // Whoever came by a link of an e-mail: the app knows from its token which offer that was.
  tellClick() {
    const token = new URLSearchParams(location.search).get('wp_click');
    if (token && !this.inEditor) post(`${this.proxy}/clicks`, { token }).catch(() => null);
  }

  async load() {
    const stop = new AbortController();
    const timer = setTimeout(() => stop.abort(), ANSWER_WITHIN_MS);
    const answer = isSilent() && !this.inEditor ? null : await this.ask(stop.signal).catch(() => null);
    clearTimeout(timer);
    const cards = attempt(() => this.cards(answer));
    if (cards?.length) this.show(cards);
    else this.giveUp();
  }

  async ask(signal) {
    const found = request(`${this.root}cart.js`, { signal }).catch(() => ({}));
    const [{ items, token, discount_codes }, allowed] = await Promise.all([found, consent()]);
    this.visitor = attempt(() => visitorId(allowed));
    const { placement, product, locale, currency, limit, page, path, market, country, business } = this.dataset;
    const cart = linesOf(items);
    const codes = codesOf(discount_codes);
    const place = { placement, product, locale, currency, limit, page, path, market, country, business };
    const asked = { ...place, visitor: this.visitor, cart, codes, cart_token: token?.split('?')[0] };
    const query = new URLSearchParams(Object.entries(asked).filter(([, value]) => value?.length));
    return request(`${this.proxy}/offers?${query}`, { signal });
  }

  cards({ decision_id, offers }) {
    this.decision = decision_id;
    const hidden = hiddenOffers();
    const level = keptLevel();
    return offers
      .filter(({ offer_id }) => !hidden.has(offer_id))
      .filter(({ kind }, count) => allows(level, kind, count))
      .map((offer) => this.card(offer));
  }

  // An empty box goes only while it is below the screen: see the style sheet.
  giveUp() {
    this.dataset.state = 'empty';
    if (this.inEditor) return;
    observe(this, (entry) => (this.hidden = !entry.isIntersecting && entry.boundingClientRect.top > 0));
  }

  show(cards) {
    const heading = part(this, 'heading');
    heading.textContent ||= cards[0].offer.headline;
    writer(this)('greeting', greetingOf(cards[0].offer.greeting, this.dataset.firstName));
    for (const card of cards) {
      part(card, 'headline').hidden = card.offer.headline === heading.textContent;
      this.watch(card);
    }
    part(this, 'rail').append(...cards);
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
    const card = drawCard(this, offer, (looked) => this.record(looked, 'click'));
    const menu = part(card, 'snooze');
    part(card, 'accept').onclick = () => this.accept(card);
    part(card, 'dismiss').onclick = () => this.dismiss(card);
    part(card, 'fewer').onclick = () => this.askHowMany(card);
    for (const button of menu.querySelectorAll('button')) {
      button.onclick = () => this.pause(card, Number(button.dataset.days));
    }
    card.onkeydown = ({ key }) => {
      if (key !== 'Escape' || card.dataset.step) return;
      if (!menu.open) return this.dismiss(card);
      menu.open = false;
      menu.firstElementChild.focus();
    };
    return card;
  }

  async accept(card) {
    if (card.dataset.step) return;
    const { textAdding, textFailed, textUnsure } = this.dataset;
    const problem = part(card, 'problem');
    problem.textContent = '';
    this.mark(card, 'adding', textAdding);
    try {
      const cart = await this.put(card.offer);
      this.record(card, 'accept');
      this.added(card, cart);
    } catch (refusal) {
      this.mark(card, '', card.label);
      problem.textContent = refusal?.isUnsure ? textUnsure : refusal?.description || textFailed;
    }
  }

  // What makes way is looked up before anything is added, and goes only after the new line is in.
  async put(offer) {
    const changes = await linesToChange(this.root, offer);
    const items = itemsOf(offer);
    // A theme may add `sections` to what is sent.
    const body = { items };
    this.tell('wellpaired:adding', body);
    const cart = await post(`${this.root}cart/add.js`, body);
    if (changes.length) await makeRoom(this.root, changes, cart, items);
    return cart;
  }

  added(card, cart) {
    const { textAdded, textInCart } = this.dataset;
    this.mark(card, 'added', textAdded);
    for (const name of ['dismiss', 'snooze', 'fewer']) part(card, name).hidden = true;
    part(card, 'cart').hidden = this.onCartPage;
    writer(this)('live', `${part(card, 'name').textContent} ${textInCart}`);
    // A theme that redraws its cart page itself calls preventDefault().
    if (this.tell('wellpaired:added', { offer: card.offer, cart }) && this.onCartPage) location.reload();
  }

  mark(card, step, label) {
    card.dataset.step = step;
    part(card, 'accept').setAttribute('aria-disabled', step !== '');
    writer(card)('label', label);
  }

  dismiss(card) {
    hideOffer(card.offer.offer_id);
    this.record(card, 'dismiss');
    this.take(card);
    this.close(this.dataset.textHidden);
  }

  // A snooze is about being asked at all, so every card goes.
  pause(card, days) {
    if (!this.inEditor) snooze(days);
    this.record(card, 'snooze', { days });
    this.take(...this.querySelectorAll('.wp__card'));
    this.close(this.dataset.textSnoozed);
  }

  askHowMany(card) {
    const who = new URLSearchParams(this.visitor ? { visitor: this.visitor } : {});
    const back = () => {
      delete this.dataset.view;
      this.close();
      if (card.isConnected) part(card, 'fewer').focus();
    };
    openPreferences(this, {
      url: `${this.proxy}/preferences?${who}`,
      offerId: card.offer.offer_id,
      onSaved: (level) => this.keepOnly(level),
      onBack: back,
    });
  }

  keepOnly(level) {
    const cards = [...this.querySelectorAll('.wp__card')];
    this.take(...cards.filter(({ offer }, place) => !allows(level, offer.kind, place)));
  }

  take(...cards) {
    for (const card of cards) card.remove();
  }

  /** Say what happened, and fold up when no card is left. */
  close(text = '') {
    if (!part(this, 'accept')) this.dataset.state = 'done';
    // Not on the next offer's button: a second Enter would add it.
    this.focus();
    writer(this)('live', text);
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
