import vm from 'node:vm';
import { createRemoteReceiver, createRemoteRoot } from '@remote-ui/core';
import { beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { COMPONENTS } from '../../extensions-dev/post-purchase-host/draw.js';
import { bundlePostPurchase } from '../../tools/build.mjs';

const APP = 'https://app.test';
const SHOULD_RENDER = 'Checkout::PostPurchase::ShouldRender';
const RENDER = 'Checkout::PostPurchase::Render';
const INPUT = { token: 'input.jwt', locale: 'en-US', initialPurchase: { referenceId: 'r1' } };
// The extension's own waits pass a hundred times faster here.
const HASTE = 100;

let bundle;
let app;

beforeAll(async () => {
  bundle = await bundlePostPurchase({ url: APP });
});

beforeEach(() => {
  app = new FakeApp();
});

/** The app behind /ext/post-purchase/, which records what it was asked. */
class FakeApp {
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

function reply(body, status = 200) {
  return { ok: status < 400, status, json: async () => body };
}

function money(minorUnits, currency = 'USD') {
  return { minor_units: minorUnits, currency };
}

function offer(id, changes = {}) {
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

function bag(amount, currencyCode = 'USD') {
  return { shopMoney: { amount: '0', currencyCode: 'XXX' }, presentmentMoney: { amount, currencyCode } };
}

function purchase(total = '22.76', changes = {}) {
  return {
    addedTaxLines: [{ title: 'VAT', rate: 0.1, priceSet: bag('2.07') }],
    addedShippingLines: [],
    updatedLineItems: [],
    totalOutstandingSet: bag(total),
    ...changes,
  };
}

function load(code = bundle, globals = {}) {
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

async function shouldRender(handlers = load(), inputData = INPUT) {
  let stored;
  const storage = { update: async (data) => (stored = JSON.parse(JSON.stringify(data))) };
  const answer = await handlers[SHOULD_RENDER]({ inputData, storage });
  return { render: answer.render, stored };
}

/** Walk the whole way to the drawn page, as Shopify does. */
async function open(changes = {}, inputData = INPUT) {
  const handlers = load();
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

async function settle({ receiver }) {
  for (let turn = 0; turn < 3; turn += 1) {
    await new Promise((resolve) => setTimeout(resolve, 8));
    await receiver.flush();
  }
}

function all(node, type) {
  const below = (node.children ?? []).flatMap((child) => all(child, type));
  return node.type === type ? [node, ...below] : below;
}

const text = (node) => node.text ?? (node.children ?? []).map(text).join('');
const buttons = (page) => all(page.tree(), 'Button');

async function press(page, index) {
  buttons(page)[index].props.onPress();
  await settle(page);
}

describe('whether there is a page', () => {
  test('is asked of the app with the input token and the purchase', async () => {
    const { render, stored } = await shouldRender();

    expect(render).toBe(true);
    expect(app.calls).toEqual([
      {
        method: 'POST',
        url: `${APP}/ext/post-purchase/offers`,
        authorization: 'Bearer input.jwt',
        body: { reference_id: 'r1' },
      },
    ]);
    expect(stored.decision_id).toBe('d1');
    expect(stored.offers.map((each) => each.offer_id)).toEqual(['1', '2']);
  });

  test('never keeps more than two offers', async () => {
    app.answers.offers = () => reply({ decision_id: 'd1', offers: ['1', '2', '3'].map((id) => offer(id)) });

    expect((await shouldRender()).stored.offers).toHaveLength(2);
  });

  test.each([
    ['there is no offer', () => reply({ offers: [] })],
    ['the app refuses', () => reply({ error: { code: 'x' } }, 401)],
    ['the app fails', () => reply('oops', 500)],
    ['the answer is no JSON', () => ({ ok: true, json: () => Promise.reject(new SyntaxError('x')) })],
    ['the answer has no list', () => reply({})],
    ['the connection fails', () => Promise.reject(new TypeError('network'))],
    ['the app does not answer in time', () => new Promise(() => {})],
  ])('is no, when %s', async (_, answer) => {
    app.answers.offers = answer;

    expect(await shouldRender()).toEqual({ render: false, stored: undefined });
  });

  test('gives up the request after 1.2 seconds', async () => {
    let signal;
    app.answers.offers = (given) => {
      signal = given;
      return new Promise(() => {});
    };
    await shouldRender();

    expect(signal.aborted).toBe(true);
  });
});

describe('the page', () => {
  test('shows product, price, discount, shipping, tax and the total on the button', async () => {
    const page = await open();
    const shown = text(page.tree());

    expect(all(page.tree(), 'CalloutBanner')[0].props.title).toBe('Headline 1');
    expect(all(page.tree(), 'Image')[0].props).toMatchObject({
      source: 'https://cdn.test/s.png',
      description: 'Socks',
    });
    expect(text(all(page.tree(), 'Heading')[0])).toBe('Socks 1');
    for (const words of ['Often bought together', 'Blue', '$22.99', '$20.69', 'Save 10%', 'ShippingFree', 'VAT$2.07']) {
      expect(shown).toContain(words);
    }
    expect(all(page.tree(), 'Text').find((each) => each.props.role === 'deletion')).toBeDefined();
    expect(buttons(page).map(text)).toEqual(['Pay now · $22.76', 'No thanks']);
    expect(page.api.calculateChangeset).toHaveBeenCalledWith({ changes: offer('1').changes });
    expect(app.events).toEqual(['1 impression']);
  });

  test('gives accept and decline the same look', async () => {
    const [accept, declineButton] = buttons(await open());

    for (const look of ['plain', 'subdued', 'disabled']) {
      expect(Boolean(accept.props[look])).toBe(Boolean(declineButton.props[look]));
    }
  });

  test('does not let anybody accept before the total is known', async () => {
    const page = await open({ calculateChangeset: () => new Promise(() => {}) });
    const [accept, declineButton] = buttons(page);

    expect(accept.props.loading).toBe(true);
    expect(accept.props.onPress).toBeUndefined();
    expect(declineButton.props.onPress).toBeTypeOf('function');
    expect(app.events).toEqual([]);
  });

  test('shows no old price without a discount, and the parts of a bundle', async () => {
    const [item] = offer('1').items;
    const items = [item, { ...item, title: 'Wax', quantity: 2, price: money(550), image: null }];
    const bundled = offer('1', { items, original_total: money(2069), discount: null });
    app.answers.offers = () => reply({ decision_id: 'd1', offers: [bundled] });
    const page = await open();

    expect(text(page.tree())).toContain('2 × $5.50');
    expect(text(page.tree())).not.toContain('Save');
    expect(all(page.tree(), 'Image')).toHaveLength(1);
  });

  test('shows shipping when it costs something', async () => {
    const calculatedPurchase = purchase('25.00', {
      addedShippingLines: [{ priceSet: bag('4.90') }],
      addedTaxLines: [],
    });
    const page = await open({ calculateChangeset: async () => ({ status: 'processed', calculatedPurchase }) });

    expect(text(page.tree())).toContain('Shipping$4.90');
  });

  test('says in German that the button orders and pays', async () => {
    const page = await open({}, { ...INPUT, locale: 'de-AT' });

    expect(buttons(page).map((each) => text(each).replaceAll('\u00a0', ' '))).toEqual([
      'Zahlungspflichtig bestellen · $ 22,76',
      'Nein danke',
    ]);
  });

  test('speaks English where there are no words', async () => {
    expect(buttons(await open({}, { ...INPUT, locale: 'xx' })).map(text)[1]).toBe('No thanks');
  });

  test('passes an offer that Shopify cannot add', async () => {
    const calculateChangeset = vi
      .fn(async () => ({ status: 'processed', errors: [], calculatedPurchase: purchase() }))
      .mockResolvedValueOnce({ status: 'unprocessed', errors: [{ code: 'insufficient_inventory' }] });
    const page = await open({ calculateChangeset });

    expect(text(all(page.tree(), 'Heading')[0])).toBe('Socks 2');
    expect(app.events).toEqual(['2 impression']);
  });

  test.each([
    ['no offer can be added', { calculateChangeset: async () => ({ status: 'unprocessed', errors: [] }) }],
    ['nothing can be calculated', { calculateChangeset: () => Promise.reject(new Error('x')) }],
    ['nothing was stored', { storage: {} }],
    ['the stored offer cannot be drawn', { storage: { initialData: { offers: [{ offer_id: '1' }] } } }],
  ])('ends at once when %s', async (_, changes) => {
    const page = await open(changes);

    expect(page.api.done).toHaveBeenCalledTimes(1);
    expect(page.api.applyChangeset).not.toHaveBeenCalled();
  });
});

describe('accepting', () => {
  test('has the app sign its own offer, applies that, and goes on to the next offer', async () => {
    const page = await open();
    await press(page, 0);

    expect(app.bodies('sign')).toEqual([{ reference_id: 'r1', decision_id: 'd1', offer_id: '1' }]);
    expect(page.api.applyChangeset.mock.calls).toEqual([['signed.jwt']]);
    expect(app.events).toEqual(['1 impression', '1 accept', '2 impression']);
    expect(text(all(page.tree(), 'Heading')[0])).toBe('Socks 2');
    expect(page.api.done).not.toHaveBeenCalled();
  });

  test('ends after the last offer, once', async () => {
    const page = await open();
    await press(page, 0);
    await press(page, 0);

    expect(page.api.applyChangeset).toHaveBeenCalledTimes(2);
    expect(page.api.done).toHaveBeenCalledTimes(1);
  });

  test('happens once on a double press, and cannot be declined meanwhile', async () => {
    const page = await open();
    const [accept, declineButton] = buttons(page);
    accept.props.onPress();
    accept.props.onPress();
    declineButton.props.onPress();
    await settle(page);

    expect(app.bodies('sign')).toHaveLength(1);
    expect(page.api.applyChangeset).toHaveBeenCalledTimes(1);
    expect(app.events).not.toContain('1 decline');
  });

  test.each([
    ['refuses', () => reply({ error: { code: 'x' } }, 409)],
    ['answers without a token', () => reply({})],
    ['does not answer', () => new Promise(() => {})],
  ])('changes nothing when the app %s, and may be tried again', async (_, answer) => {
    app.answers.sign = answer;
    const page = await open();
    await press(page, 0);
    await new Promise((resolve) => setTimeout(resolve, 10_000 / HASTE));
    await settle(page);

    expect(page.api.applyChangeset).not.toHaveBeenCalled();
    expect(text(all(page.tree(), 'Banner')[0])).toContain('You have not been charged for it.');
    expect(buttons(page).map((each) => Boolean(each.props.loading || each.props.disabled))).toEqual([false, false]);

    app.answers.sign = () => reply({ token: 'signed.jwt' });
    await press(page, 0);
    expect(page.api.applyChangeset).toHaveBeenCalledTimes(1);
  });

  test.each([
    ['payment_required', 'The payment did not go through.'],
    ['insufficient_inventory', 'It has just sold out.'],
    ['server_error', 'Something went wrong on our side.'],
  ])('says what happened on %s, charges nothing again, and leaves to the order', async (code, words) => {
    const applyChangeset = vi.fn(async () => ({ status: 'unprocessed', errors: [{ code }] }));
    const page = await open({ applyChangeset });
    await press(page, 0);

    expect(text(page.tree())).toContain(`${words} Your order is complete and has not changed.`);
    expect(buttons(page).map(text)).toEqual(['Continue to your order']);
    expect(app.events).toEqual(['1 impression']);

    buttons(page)[0].props.onPress();
    await press(page, 0);
    expect(applyChangeset).toHaveBeenCalledTimes(1);
    expect(page.api.done).toHaveBeenCalledTimes(1);
  });

  test('explains when Shopify does not answer at all', async () => {
    const page = await open({ applyChangeset: () => Promise.reject(new Error('x')) });
    await press(page, 0);

    expect(text(page.tree())).toContain('Something went wrong on our side.');
  });

  test('counts a changeset that is already applied as accepted', async () => {
    const errors = [{ code: 'changeset_already_applied' }];
    const page = await open({ applyChangeset: async () => ({ status: 'unprocessed', errors }) });
    await press(page, 0);

    expect(app.events).toContain('1 accept');
  });

  test.each([
    ['Shopify takes no more changes', { status: 'processed', changesetApplicationsRemaining: 0 }],
    ['only half went through', { status: 'partially_processed', changesetApplicationsRemaining: 1 }],
  ])('shows no second offer when %s', async (_, result) => {
    const page = await open({ applyChangeset: async () => ({ errors: [], ...result }) });
    await press(page, 0);

    expect(page.api.done).toHaveBeenCalledTimes(1);
    expect(app.events).toEqual(['1 impression', '1 accept']);
  });

  test('does not depend on the report arriving', async () => {
    app.answers.events = () => new Promise(() => {});
    const page = await open();
    await press(page, 0);

    expect(text(all(page.tree(), 'Heading')[0])).toBe('Socks 2');
  });
});

describe('declining', () => {
  test('reports it, shows the next offer, then ends; nothing is signed', async () => {
    const page = await open();
    await press(page, 1);
    await press(page, 1);

    expect(app.events).toEqual(['1 impression', '1 decline', '2 impression', '2 decline']);
    expect(page.api.done).toHaveBeenCalledTimes(1);
    expect(app.bodies('sign')).toEqual([]);
    expect(page.api.applyChangeset).not.toHaveBeenCalled();
  });
});

describe('the address of the app', () => {
  const elsewhere = { __WELLPAIRED_APP_URL__: 'http://127.0.0.1:5050' };

  test('is fixed in what is deployed', async () => {
    await shouldRender(load(bundle, elsewhere));

    expect(app.calls[0].url).toBe(`${APP}/ext/post-purchase/offers`);
  });

  test('may be named by the host page in a development build', async () => {
    await shouldRender(load(await bundlePostPurchase({ url: APP, isDevelopment: true }), elsewhere));

    expect(app.calls[0].url).toBe('http://127.0.0.1:5050/ext/post-purchase/offers');
  });
});
