/**
 * Shopify's post-purchase page for the extension's tests: the built bundle in a world of its own, a real remote root and
 * receiver, and an app that answers what a test tells it to.
 */
import vm from 'node:vm';
import { createRemoteReceiver, createRemoteRoot } from '@remote-ui/core';
import { vi } from 'vitest';
import { COMPONENTS } from '../../extensions-dev/post-purchase-host/draw.js';
import { bundlePostPurchase } from '../../tools/build.mjs';

export const APP = 'https://app.test';
const SHOULD_RENDER = 'Checkout::PostPurchase::ShouldRender';
const RENDER = 'Checkout::PostPurchase::Render';
export const INPUT = { token: 'input.jwt', locale: 'en-US', initialPurchase: { referenceId: 'r1' } };
// The extension's own waits pass a hundred times faster here.
export const HASTE = 100;

const bundle = await bundlePostPurchase({ url: APP });

/** The app behind /ext/post-purchase/, which records what it was asked. */
export class FakeApp {
  constructor() {
    this.calls = [];
    this.answers = {
      offers: () => reply({ decision_id: 'd1', offers: [offer('1'), offer('2')] }),
      sign: () => reply({ token: 'signed.jwt' }),
      events: () => reply({ recorded: true }),
    };
  }

  async fetch(url, { method, headers, body, signal }) {
    this.calls.push({ method, url, authorization: headers.Authorization, body: JSON.parse(body) });
    return this.answers[url.split('/').pop()](signal);
  }

  bodies(end) {
    return this.calls.filter((call) => call.url.endsWith(`/${end}`)).map((call) => call.body);
  }

  get events() {
    return this.bodies('events').map(({ offer_id: id, event }) => `${id} ${event}`);
  }
}

export function reply(body, status = 200) {
  return { ok: status < 400, status, json: async () => body };
}

export function money(minorUnits, currency = 'USD') {
  return { minor_units: minorUnits, currency };
}

export function offer(id, changes = {}) {
  return {
    offer_id: id,
    kind: 'cross_sell',
    headline: `Headline ${id}`,
    why: { code: 'often_bought_together', text: 'Often bought together' },
    total: money(2069),
    original_total: money(2299),
    discount: { basis_points: 1000 },
    items: [
      {
        title: `Socks ${id}`,
        variant_title: 'Blue',
        image: { url: 'https://cdn.test/s.png', alt: 'Socks' },
        quantity: 1,
        price: money(2069),
      },
    ],
    changes: [{ type: 'add_variant', variantId: 21, quantity: 1 }],
    ...changes,
  };
}

export function bag(amount, currencyCode = 'USD') {
  return { shopMoney: { amount: '0', currencyCode: 'XXX' }, presentmentMoney: { amount, currencyCode } };
}

export function purchase(total = '22.76', changes = {}) {
  return {
    addedTaxLines: [{ title: 'VAT', rate: 0.1, priceSet: bag('2.07') }],
    addedShippingLines: [],
    updatedLineItems: [],
    totalOutstandingSet: bag(total),
    ...changes,
  };
}

/** Run the bundle in a world of its own, as Shopify does; the answer is what it registered. */
export function load(app, { code = bundle, globals = {} } = {}) {
  const handlers = {};
  const context = vm.createContext({
    shopify: { extend: (point, handler) => (handlers[point] = handler) },
    fetch: (...request) => app.fetch(...request),
    setTimeout: (react, milliseconds) => setTimeout(react, milliseconds / HASTE),
    AbortController,
    Intl,
    ...globals,
  });
  context.self = context;
  vm.runInContext(code, context);
  return handlers;
}

export async function shouldRender(handlers, inputData = INPUT) {
  let stored;
  const storage = { update: async (data) => (stored = JSON.parse(JSON.stringify(data))) };
  const answer = await handlers[SHOULD_RENDER]({ inputData, storage });
  return { render: answer.render, stored };
}

/** Walk the whole way to the drawn page, as Shopify does. */
export async function open(app, changes = {}, inputData = INPUT) {
  const handlers = load(app);
  const { stored } = await shouldRender(handlers, inputData);
  const api = {
    inputData,
    storage: { initialData: stored },
    calculateChangeset: vi.fn(async () => ({ status: 'processed', errors: [], calculatedPurchase: purchase() })),
    applyChangeset: vi.fn(async () => ({ status: 'processed', errors: [], changesetApplicationsRemaining: 2 })),
    done: vi.fn(async () => {}),
    ...changes,
  };
  const receiver = createRemoteReceiver();
  const root = createRemoteRoot(receiver.receive, { components: [...COMPONENTS] });
  await handlers[RENDER](root, api);
  const page = { api, receiver, tree: () => receiver.attached.root };
  await settle(page);
  return page;
}

export async function settle({ receiver }) {
  for (let turn = 0; turn < 3; turn += 1) {
    await new Promise((resolve) => setTimeout(resolve, 8));
    await receiver.flush();
  }
}

export function all(node, type) {
  const below = (node.children ?? []).flatMap((child) => all(child, type));
  return node.type === type ? [node, ...below] : below;
}

export const text = (node) => node.text ?? (node.children ?? []).map(text).join('');
export const buttons = (page) => all(page.tree(), 'Button');

export async function press(page, index) {
  buttons(page)[index].props.onPress();
  await settle(page);
}
