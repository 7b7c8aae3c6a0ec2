// @vitest-environment jsdom
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { cards, click, closeShop, item, money, offer, openShop, page, part } from './storefront.mjs';

let shop;

beforeEach(() => {
  shop = openShop();
});

afterEach(closeShop);

const texts = (within, selector) => [...within.querySelectorAll(selector)].map((each) => each.textContent.trim());
const cart = (...items) => shop.answer('cart.js', { token: 't', items });
const line = (changes) => ({ variant_id: 91, quantity: 1, key: '91:abc', ...changes });
const replacing = (quantity, changes) =>
  offer({ kind: 'up_sell', replaces: { variant_id: 'gid://shopify/ProductVariant/91', quantity }, ...changes });

async function accept(changes, options) {
  shop.offers(changes);
  const block = await shop.visit(options);
  shop.calls = [];
  await click(part(block, 'accept'));
  return block;
}

describe('what a card says', () => {
  test('names at most the benefits that were decided, each as text', async () => {
    const benefits = ['Keeps leather soft', '<b>Bold</b>', 'You save 2.00 USD'];
    shop.offers(offer({ benefits }));
    const [card] = cards(await shop.visit());

    expect(texts(card, '[data-wp="benefits"] li')).toEqual(benefits);
    expect(part(card, 'saving').textContent).toBe('');
    expect(part(card, 'before').hidden).toBe(true);
  });

  test('tells exactly what is saved, and strikes the price through that it was', async () => {
    const row = item(2, { price: money(1800), original_price: money(2000) });
    shop.offers(offer({ items: [row], total: money(1800), original_total: money(2000), saving: money(200) }));
    const [card] = cards(await shop.visit());

    expect(part(card, 'saving').textContent).toBe('You save $2.00');
    expect(texts(card, '.wp__item [data-wp="was"]')).toEqual(['$20.00']);
    expect(card.querySelector('.wp__item [data-wp="before"]').hidden).toBe(false);
    expect(part(card, 'price').textContent).toBe('$18.00');
  });

  test('writes the saving in German', async () => {
    shop.offers(offer({ saving: money(200, 'EUR') }));
    const [card] = cards(await shop.visit({ locale: 'de' }));

    expect(part(card, 'saving').textContent.replace('\u00a0', ' ')).toBe('Sie sparen 2,00 €');
  });

  test('tells what the shopper bought before beside the reason, where the app says so', async () => {
    const fact = 'You have bought this 3 times in the last two years';
    shop.offers(offer({ kind: 'replenish', why: { code: 'running_out', text: 'May be running out', fact } }));
    const [card] = cards(await shop.visit());

    expect(texts(card, '.wp__why')).toEqual(['May be running out', fact]);
  });

  test('has one total for what is several pieces, with the total before it', async () => {
    shop.offers(
      offer({ items: [item(2, { quantity: 3 })], total: money(5400), original_total: money(6000), saving: money(600) }),
    );
    const [card] = cards(await shop.visit());

    expect(part(card, 'total').hidden).toBe(false);
    expect(part(card, 'amount').textContent).toBe('$54.00');
    expect(texts(part(card, 'total'), '[data-wp="was"]')).toEqual(['$60.00']);
  });

  test('draws an answer of an older server that says less', async () => {
    const later = { benefits: undefined, greeting: undefined, original_total: undefined, saving: undefined };
    shop.offers(offer({ ...later, why: { code: 'c', text: 'Why' } }));

    expect(cards(await shop.visit())).toHaveLength(1);
  });
});

describe('one click', () => {
  test('puts a subscription on its plan and takes the one-time line out', async () => {
    cart(line({ quantity: 2 }));
    await accept(
      replacing(2, {
        kind: 'subscribe',
        items: [
          item(9, {
            variant_id: 'gid://shopify/ProductVariant/91',
            quantity: 2,
            selling_plan_id: 'gid://shopify/SellingPlan/7',
          }),
        ],
      }),
    );

    expect(shop.called('cart/add.js').map((call) => call.body.items)).toEqual([
      [{ id: 91, quantity: 2, selling_plan: 7, properties: { _wp: 'v1.k.token9' } }],
    ]);
    expect(shop.called('cart/change.js').map((call) => call.body)).toEqual([{ id: '91:abc', quantity: 0 }]);
  });

  test('of a quantity adds the missing pieces only and changes no line', async () => {
    cart(line());
    await accept(offer({ kind: 'quantity', items: [item(9, { quantity: 2 })] }));

    expect(shop.called('cart/add.js')[0].body.items).toMatchObject([{ id: 91, quantity: 2 }]);
    expect(shop.called('cart/change.js')).toEqual([]);
  });

  test.each(['cross_sell', 'bundle', 'quantity', 'replenish', 'free_shipping', 'gift'])(
    'takes a %s exactly as decided',
    async (kind) => {
      await accept(offer({ kind, items: [item(2, { quantity: 2 }), item(3, { price: money(0) })] }));

      expect(shop.called('cart/add.js').map((call) => call.body)).toEqual([
        {
          items: [
            { id: 21, quantity: 2, properties: { _wp: 'v1.k.token2' } },
            { id: 31, quantity: 1, properties: { _wp: 'v1.k.token3' } },
          ],
        },
      ]);
      expect(shop.events.map((event) => event.event)).toEqual(['accept']);
    },
  );

  test('is called replacing where something makes way', async () => {
    shop.offers(replacing(1), offer({ offer_id: '13' }));
    const block = await shop.visit();

    expect(cards(block).map((card) => part(card, 'label').textContent)).toEqual(['Replace in cart', 'Add to cart']);
  });
});

describe('what is replaced', () => {
  test.each(['cart', 'product'])('goes only after the new line is in, on a %s page', async (pageType) => {
    cart(line());
    await accept(replacing(1), { pageType });

    expect(shop.calls.map((call) => call.path)).toEqual([
      '/cart.js',
      '/cart/add.js',
      '/cart/change.js',
      '/apps/wellpaired/events',
    ]);
    expect(shop.called('cart/change.js')[0].body).toEqual({ id: '91:abc', quantity: 0 });
  });

  test.each([
    ['one piece of two', 1, [line({ quantity: 2 })], [{ id: '91:abc', quantity: 1 }]],
    [
      'pieces of two lines',
      3,
      [line({ quantity: 2 }), line({ variant_id: 5, key: '5:x' }), line({ quantity: 2, key: '91:def' })],
      [
        { id: '91:abc', quantity: 0 },
        { id: '91:def', quantity: 1 },
      ],
    ],
    [
      'a line bought once, not a subscription',
      1,
      [line({ key: '91:sub', selling_plan_allocation: {} }), line()],
      [{ id: '91:abc', quantity: 0 }],
    ],
  ])('is %s', async (_, quantity, lines, changes) => {
    cart(...lines);
    await accept(replacing(quantity));

    expect(shop.called('cart/change.js').map((call) => call.body)).toEqual(changes);
  });

  test.each([
    ['gone', []],
    ['too few', [line()]],
    ['a subscription', [line({ quantity: 2, selling_plan_allocation: {} })]],
  ])('and is %s by now: nothing is added, and the shopper is told', async (_, lines) => {
    cart(...lines);
    const block = await accept(replacing(2));

    expect(shop.called('cart/add.js')).toEqual([]);
    expect(part(block, 'problem').textContent).toBe('This could not be added. Your cart has not changed.');
    expect(part(block, 'label').textContent).toBe('Replace in cart');
    expect(shop.events).toEqual([]);
  });

  test('stays when adding is refused', async () => {
    cart(line());
    shop.answer('cart/add.js', { description: 'Sold out' }, 422);
    const block = await accept(replacing(1));

    expect(shop.called('cart/change.js')).toEqual([]);
    expect(part(block, 'problem').textContent).toBe('Sold out');
  });

  test('cannot go: what was added is taken back, so that nobody pays for both', async () => {
    cart(line());
    shop.answers['cart/change.js'] = ({ body }) =>
      new Response('{}', { status: JSON.parse(body).id === '91:abc' ? 400 : 200 });
    const block = await accept(replacing(1));

    expect(shop.called('cart/change.js').map((call) => call.body)).toEqual([
      { id: '91:abc', quantity: 0 },
      { id: '21:new', quantity: 0 },
    ]);
    expect(part(block, 'problem').textContent).toBe('This could not be added. Your cart has not changed.');
    expect(shop.events).toEqual([]);
    expect(page.reload).not.toHaveBeenCalled();
  });

  test('cannot go and the theme answers something else than Shopify: the shopper is sent to look', async () => {
    cart(line());
    shop.answer('cart/add.js', { sections: {} });
    shop.answer('cart/change.js', {}, 400);
    const block = await accept(replacing(1));

    expect(part(block, 'problem').textContent).toBe('This did not work as it should. Please look at your cart.');
  });

  test('cannot go and neither can what was added: the shopper is sent to look', async () => {
    cart(line());
    shop.answer('cart/change.js', {}, 400);
    const block = await accept(replacing(1));

    expect(part(block, 'problem').textContent).toBe('This did not work as it should. Please look at your cart.');
    expect(shop.events).toEqual([]);
  });

  test('is not touched without a click', async () => {
    shop.offers(replacing(1));
    await shop.visit();
    await vi.advanceTimersByTimeAsync(60_000);

    expect(shop.calls.filter((call) => call.method === 'POST')).toEqual([]);
  });
});
