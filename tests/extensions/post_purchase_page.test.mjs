import { beforeEach, describe, expect, test, vi } from 'vitest';
import { bundlePostPurchase } from '../../tools/build.mjs';
import {
  all,
  APP,
  bag,
  buttons,
  FakeApp,
  INPUT,
  load,
  money,
  offer,
  open,
  purchase,
  reply,
  shouldRender,
  text,
} from './post_purchase_stage.mjs';

let app;

beforeEach(() => {
  app = new FakeApp();
});

describe('whether there is a page', () => {
  test('is asked of the app with the input token and the purchase', async () => {
    const { render, stored } = await shouldRender(load(app));

    expect(render).toBe(true);
    expect(app.calls).toEqual([
      {
        method: 'POST',
        url: `${APP}/ext/post-purchase/offers`,
        authorization: 'Bearer input.jwt',
        body: { reference_id: 'r1', locale: 'en-US' },
      },
    ]);
    expect(stored.decision_id).toBe('d1');
    expect(stored.offers.map((each) => each.offer_id)).toEqual(['1', '2']);
  });

  test('never keeps more than two offers', async () => {
    app.answers.offers = () => reply({ decision_id: 'd1', offers: ['1', '2', '3'].map((id) => offer(id)) });

    expect((await shouldRender(load(app))).stored.offers).toHaveLength(2);
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

    expect(await shouldRender(load(app))).toEqual({ render: false, stored: undefined });
  });

  test('gives up the request after 1.2 seconds', async () => {
    let signal;
    app.answers.offers = (given) => {
      signal = given;
      return new Promise(() => {});
    };
    await shouldRender(load(app));

    expect(signal.aborted).toBe(true);
  });
});

describe('the page', () => {
  test('shows product, price, discount, shipping, tax and the total on the button', async () => {
    const page = await open(app);
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
    const [accept, declineButton] = buttons(await open(app));

    for (const look of ['plain', 'subdued', 'disabled']) {
      expect(Boolean(accept.props[look])).toBe(Boolean(declineButton.props[look]));
    }
  });

  test('does not let anybody accept before the total is known', async () => {
    const page = await open(app, { calculateChangeset: () => new Promise(() => {}) });
    const [accept, declineButton] = buttons(page);

    expect(accept.props.loading).toBe(true);
    expect(accept.props.onPress).toBeUndefined();
    expect(declineButton.props.onPress).toBeTypeOf('function');
    expect(app.events).toEqual([]);
  });

  test('tells an amount off as an amount, each benefit, and what was bought before', async () => {
    const fact = 'You have bought this 3 times in the last two years';
    const told = offer('1', { discount: null, benefits: ['Warm', 'Soft'], why: { code: 'c', text: 'Why', fact } });
    app.answers.offers = () => reply({ decision_id: 'd1', offers: [told] });
    const shown = text((await open(app)).tree());

    for (const words of ['Save $2.30', 'Warm', 'Soft', 'Why', fact]) expect(shown).toContain(words);
  });

  test('shows no old price without a discount, and the parts of a bundle', async () => {
    const [item] = offer('1').items;
    const items = [item, { ...item, title: 'Wax', quantity: 2, price: money(550), image: null }];
    const bundled = offer('1', { items, original_total: money(2069), discount: null });
    app.answers.offers = () => reply({ decision_id: 'd1', offers: [bundled] });
    const page = await open(app);

    expect(text(page.tree())).toContain('2 × $5.50');
    expect(text(page.tree())).not.toContain('Save');
    expect(all(page.tree(), 'Image')).toHaveLength(1);
  });

  test('shows shipping when it costs something', async () => {
    const calculatedPurchase = purchase('25.00', {
      addedShippingLines: [{ priceSet: bag('4.90') }],
      addedTaxLines: [],
    });
    const page = await open(app, { calculateChangeset: async () => ({ status: 'processed', calculatedPurchase }) });

    expect(text(page.tree())).toContain('Shipping$4.90');
  });

  test('says in German that the button orders and pays', async () => {
    const page = await open(app, {}, { ...INPUT, locale: 'de-AT' });

    expect(buttons(page).map((each) => text(each).replaceAll('\u00a0', ' '))).toEqual([
      'Zahlungspflichtig bestellen · $ 22,76',
      'Nein danke',
    ]);
  });

  test('speaks English where there are no words', async () => {
    expect(buttons(await open(app, {}, { ...INPUT, locale: 'xx' })).map(text)[1]).toBe('No thanks');
  });

  test('passes an offer that Shopify cannot add', async () => {
    const calculateChangeset = vi
      .fn(async () => ({ status: 'processed', errors: [], calculatedPurchase: purchase() }))
      .mockResolvedValueOnce({ status: 'unprocessed', errors: [{ code: 'insufficient_inventory' }] });
    const page = await open(app, { calculateChangeset });

    expect(text(all(page.tree(), 'Heading')[0])).toBe('Socks 2');
    expect(app.events).toEqual(['2 impression']);
  });

  test.each([
    ['no offer can be added', { calculateChangeset: async () => ({ status: 'unprocessed', errors: [] }) }],
    ['nothing can be calculated', { calculateChangeset: () => Promise.reject(new Error('x')) }],
    ['nothing was stored', { storage: {} }],
    ['the stored offer cannot be drawn', { storage: { initialData: { offers: [{ offer_id: '1' }] } } }],
  ])('ends at once when %s', async (_, changes) => {
    const page = await open(app, changes);

    expect(page.api.done).toHaveBeenCalledTimes(1);
    expect(page.api.applyChangeset).not.toHaveBeenCalled();
  });
});

describe('the address of the app', () => {
  const elsewhere = { __WELLPAIRED_APP_URL__: 'http://127.0.0.1:5050' };

  test('is fixed in what is deployed', async () => {
    await shouldRender(load(app, { globals: elsewhere }));

    expect(app.calls[0].url).toBe(`${APP}/ext/post-purchase/offers`);
  });

  test('may be named by the host page in a development build', async () => {
    const code = await bundlePostPurchase({ url: APP, isDevelopment: true });
    await shouldRender(load(app, { code, globals: elsewhere }));

    expect(app.calls[0].url).toBe('http://127.0.0.1:5050/ext/post-purchase/offers');
  });
});
