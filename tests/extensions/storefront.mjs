/**
 * A storefront for the theme block's tests: the page, Shopify's Ajax cart and the app proxy, as data.
 *
 * Only what is Shopify's or the browser's is stood in for; block, translations and script are the real files.
 */
import fs from 'node:fs';
import path from 'node:path';
import { vi } from 'vitest';
import { renderBlock, THEME } from './theme_block.mjs';

export const SCRIPT = fs.readFileSync(path.join(THEME, 'assets/wellpaired-offer.js'), 'utf8');

// jsdom cannot navigate, so the script gets a location that remembers being asked to.
export const page = {
  origin: window.location.origin,
  search: '',
  reload: vi.fn(),
  toString: () => `${window.location.origin}/`,
};

let observers = [];

class FakeIntersectionObserver {
  constructor(react, options = {}) {
    this.react = react;
    this.options = options;
    observers.push(this);
  }

  observe(element) {
    this.element = element;
  }

  disconnect() {
    observers = observers.filter((each) => each !== this);
  }
}

/** Tell every observer of the element what it sees, as the browser does when something scrolls. */
export function scroll(element, { isIntersecting, top = 100, intersectionRatio = isIntersecting ? 1 : 0 }) {
  for (const observer of observers.filter((each) => each.element === element)) {
    observer.react([{ isIntersecting, intersectionRatio, boundingClientRect: { top } }], observer);
  }
}

export function money(minorUnits, currency = 'USD') {
  return { minor_units: minorUnits, currency };
}

export function item(number, changes = {}) {
  return {
    product_id: `gid://shopify/Product/${number}`,
    variant_id: `gid://shopify/ProductVariant/${number}1`,
    title: `Product ${number}`,
    variant_title: 'Blue',
    url: `/products/product-${number}`,
    image: { url: 'https://cdn.test/p.png', alt: 'A product' },
    quantity: 1,
    price: money(2299),
    original_price: null,
    selling_plan_id: null,
    token: `v1.k.token${number}`,
    ...changes,
  };
}

export function offer(changes = {}) {
  return {
    offer_id: '12',
    kind: 'cross_sell',
    headline: 'Goes well with this',
    why: { code: 'often_bought_together', text: 'Often bought together', fact: null },
    benefits: [],
    greeting: null,
    total: money(2299),
    original_total: null,
    saving: null,
    discount: null,
    items: [item(2)],
    replaces: null,
    ...changes,
  };
}

function reply(body, status = 200) {
  return new Response(typeof body === 'string' ? body : JSON.stringify(body), { status });
}

/** Answers by the end of the path; a test replaces the answers that matter to it. */
class Storefront {
  constructor() {
    this.calls = [];
    this.answers = {
      'cart.js': () => reply({ token: 'cart9?key=secret', items: [{ variant_id: 91, quantity: 2, key: '91:abc' }] }),
      offers: () => reply({ decision_id: 'd1', offers: [offer()] }),
      events: () => reply({ recorded: true }),
      clicks: () => reply({ recorded: true }),
      preferences: () => reply({ level: 'all', levels: ['all', 'fewer', 'restock_only', 'none'] }),
      'cart/add.js': () => reply({ items: [{ id: 21, key: '21:new', quantity: 1 }] }),
      'cart/change.js': () => reply({ items: [] }),
    };
    vi.stubGlobal('fetch', (url, options) => this.fetch(url, options));
    vi.stubGlobal('IntersectionObserver', FakeIntersectionObserver);
    observers = [];
    page.reload.mockClear();
  }

  async fetch(url, options = {}) {
    const address = new URL(url, 'https://shop.test');
    const body = options.body === undefined ? undefined : JSON.parse(options.body);
    this.calls.push({ method: options.method ?? 'GET', path: address.pathname, query: address.searchParams, body });
    const name = Object.keys(this.answers).find((end) => address.pathname.endsWith(`/${end}`));
    return this.answers[name](options);
  }

  answer(name, body, status = 200) {
    this.answers[name] = () => reply(body, status);
  }

  offers(...offers) {
    this.answer('offers', { decision_id: 'd1', offers });
  }

  called(end) {
    return this.calls.filter((call) => call.path.endsWith(`/${end}`));
  }

  /** The bodies of all reported events, in order. */
  get events() {
    return this.called('events').map((call) => call.body);
  }

  /** Put a block on the page and let the shopper come near it. */
  async visit(options) {
    document.body.innerHTML = renderBlock(options);
    const block = document.querySelector('wellpaired-offer');
    if (block) scroll(block, { isIntersecting: true });
    await settle();
    return block;
  }

  /** Everything that was sent to anybody, as one text. */
  get said() {
    return decodeURIComponent(JSON.stringify(this.calls.map((call) => ({ ...call, query: [...call.query] }))));
  }
}

/** A fresh browser with the script loaded, in front of a shop. Time stands still until a test lets it pass. */
export function openShop() {
  vi.useFakeTimers();
  localStorage.clear();
  sessionStorage.clear();
  delete window.Shopify;
  const shop = new Storefront();
  new Function('location', SCRIPT)(page);
  return shop;
}

export function closeShop() {
  document.body.replaceChildren();
  vi.useRealTimers();
  vi.unstubAllGlobals();
}

export async function click(element) {
  element.click();
  await settle();
}

/** Let everything that is already on its way arrive, without letting time pass. */
export async function settle() {
  for (let turn = 0; turn < 20; turn += 1) await vi.advanceTimersByTimeAsync(0);
}

export const part = (within, name) => within.querySelector(`[data-wp="${name}"]`);
export const cards = (block) => [...block.querySelectorAll('.wp__card')];
