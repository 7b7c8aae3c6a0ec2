// @vitest-environment jsdom
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import {
  cards,
  click,
  closeShop,
  item,
  money,
  offer,
  openShop,
  page,
  part,
  scroll,
  SCRIPT,
  settle,
} from './storefront.mjs';

let shop;

beforeEach(() => {
  shop = openShop();
});

afterEach(closeShop);

describe('showing offers', () => {
  test('draws product, price, reason and headline', async () => {
    const block = await shop.visit();

    expect(block.dataset.state).toBe('shown');
    expect(part(block, 'heading').textContent).toBe('Goes well with this');
    const [card] = cards(block);
    expect(part(card, 'title').textContent).toBe('Product 2');
    expect(part(card, 'title').getAttribute('href')).toBe(`${page.origin}/products/product-2`);
    expect(part(card, 'variant').textContent).toBe('Blue');
    expect(part(card, 'price').textContent).toBe('$22.99');
    expect(part(card, 'why').textContent).toBe('Often bought together');
    expect(part(card, 'image').alt).toBe('A product');
    expect(part(card, 'total').hidden).toBe(true);
  });

  test('asks with place, product and cart, and keeps the secret part of the cart token', async () => {
    await shop.visit({ root: '/de', locale: 'de', settings: { max_offers: 2, proxy_path: '/tools/other/' } });

    const [call] = shop.called('offers');
    expect(call.path).toBe('/de/tools/other/offers');
    expect(Object.fromEntries(call.query)).toEqual({
      placement: 'theme/product_page',
      product: '1',
      locale: 'de',
      currency: 'USD',
      limit: '2',
      page: 'product',
      path: '/products/product-1',
      market: 'us',
      country: 'US',
      cart: '91:2',
      cart_token: 'cart9',
    });
  });

  test('tells which lines are on a selling plan, and the codes that were entered', async () => {
    const plan = (id) => ({ selling_plan_allocation: { selling_plan: { id } } });
    const items = [
      { variant_id: 91, quantity: 2 },
      { variant_id: 91, quantity: 1, ...plan(7001) },
      { variant_id: 92, quantity: 1, selling_plan_allocation: {} },
    ];
    const discount_codes = [
      { code: 'WALK10', applicable: true },
      { code: 'old', applicable: false },
    ];
    shop.answer('cart.js', { items, discount_codes });
    await shop.visit();

    const { query } = shop.called('offers')[0];
    expect(query.get('cart')).toBe('91:2,91:1:7001,92:1:0');
    expect(query.get('codes')).toBe('WALK10,old');
  });

  test('hands in the token of a link that was followed, and nothing without one', async () => {
    await shop.visit();
    expect(shop.called('clicks')).toEqual([]);

    page.search = '?variant=1&wp_click=a.b.c.d';
    await shop.visit();
    page.search = '';

    const [call] = shop.called('clicks');
    expect(call.body).toEqual({ token: 'a.b.c.d' });
  });

  test('asks on the cart page without a product', async () => {
    await shop.visit({ pageType: 'cart' });

    const { query } = shop.called('offers')[0];
    expect(query.get('placement')).toBe('theme/cart');
    expect(query.has('product')).toBe(false);
  });

  test('asks nothing before the shopper comes near', async () => {
    const block = await shop.visit();
    shop.calls = [];
    document.body.append(block.cloneNode(true));
    await settle();

    expect(shop.calls).toEqual([]);
  });

  test('lists the parts of a bundle and one total', async () => {
    const parts = [item(2), item(3, { quantity: 2, price: money(550), variant_title: '' })];
    shop.offers(offer({ kind: 'bundle', total: money(3399), items: parts }));
    const [card] = cards(await shop.visit());

    const prices = [...card.querySelectorAll('.wp__item')].map((row) => [part(row, 'quantity'), part(row, 'price')]);
    expect(prices.map((each) => each.map((one) => one.textContent))).toEqual([
      ['', '$22.99'],
      ['2 × ', '$5.50'],
    ]);
    expect(part(card, 'total').hidden).toBe(false);
    expect(part(card, 'amount').textContent).toBe('$33.99');
  });

  test.each([
    ['JPY', 2299, '¥2,299'],
    ['KWD', 22990, 'KWD 22.990'],
    ['HUF', 229900, 'HUF 2,299'],
    ['COP', 2299000, 'COP 22,990'],
    ['EUR', 2299, '€22.99'],
  ])('writes %s with its own number of digits', async (currency, minorUnits, text) => {
    shop.offers(
      offer({ items: [item(2, { price: money(minorUnits, currency) })], total: money(minorUnits, currency) }),
    );
    const [card] = cards(await shop.visit());

    expect(part(card, 'price').textContent.replaceAll('\u00a0', ' ')).toBe(text);
  });

  test('leaves the reason out when the merchant wants it so', async () => {
    const [card] = cards(await shop.visit({ settings: { show_why: false } }));

    expect(part(card, 'why').textContent).toBe('');
  });

  test('keeps the merchant heading and shows the headline on the card', async () => {
    const block = await shop.visit({ settings: { heading: 'You may need' } });

    expect(part(block, 'heading').textContent).toBe('You may need');
    expect(part(cards(block)[0], 'headline').hidden).toBe(false);
  });

  test('speaks German on a German page', async () => {
    const [card] = cards(await shop.visit({ locale: 'de' }));

    expect(part(card, 'label').textContent).toBe('In den Warenkorb');
    expect(part(card, 'dismiss').textContent).toContain('Kein Interesse');
  });

  test('shows a hostile title as plain text and never follows a foreign or script address', async () => {
    const title = '<img src=x onerror="window.hacked=1">';
    const addresses = ['javascript:window.hacked=1', '//evil.test/x'];
    shop.offers(
      offer({ headline: title, items: addresses.map((url) => item(2, { title, variant_title: title, url })) }),
    );
    const block = await shop.visit();

    expect(block.querySelectorAll('img[src="x"]')).toHaveLength(0);
    const links = [...block.querySelectorAll('[data-wp="title"]')];
    expect(links.map((each) => each.textContent)).toEqual([title, title]);
    expect(links.map((each) => each.getAttribute('href'))).toEqual([`${page.origin}/javascript:window.hacked=1`, null]);
    expect(window.hacked).toBeUndefined();
  });
});

describe('showing nothing', () => {
  const broken = {
    'an empty list': [{ offers: [] }, 200],
    'a server error': [{ error: { code: 'x' } }, 500],
    'a page instead of JSON': ['<html>password</html>', 200],
    'no list': [{}, 200],
    null: ['null', 200],
    'an offer without items': [{ decision_id: 'd', offers: [{ offer_id: '1' }] }, 200],
    'an unknown currency': [{ decision_id: 'd', offers: [offer({ total: money(1, 'nonsense') })] }, 200],
  };

  test.each(Object.entries(broken))('after %s', async (_, [body, status]) => {
    shop.answer('offers', body, status);
    const block = await shop.visit();

    expect(block.dataset.state).toBe('empty');
    expect(cards(block)).toEqual([]);
    expect(part(block, 'heading').textContent).toBe('');
    expect(shop.events).toEqual([]);
  });

  test('when the connection fails', async () => {
    shop.answers.offers = () => Promise.reject(new TypeError('network'));
    const block = await shop.visit();

    expect(block.dataset.state).toBe('empty');
  });

  test('when the answer takes longer than two seconds, and the request is given up', async () => {
    let signal;
    shop.answers.offers = (options) => {
      signal = options.signal;
      return new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
    };
    const block = await shop.visit();
    await vi.advanceTimersByTimeAsync(1999);
    expect(block.dataset.state).toBe('waiting');
    await vi.advanceTimersByTimeAsync(1);

    expect(signal.aborted).toBe(true);
    expect(block.dataset.state).toBe('empty');
  });

  test('keeps the empty box while it is on screen or above, and drops it below the screen', async () => {
    shop.offers();
    const block = await shop.visit();

    scroll(block, { isIntersecting: true });
    expect(block.hidden).toBe(false);
    scroll(block, { isIntersecting: false, top: -500 });
    expect(block.hidden).toBe(false);
    scroll(block, { isIntersecting: false, top: 900 });
    expect(block.hidden).toBe(true);
  });

  test('still offers something when the cart cannot be read', async () => {
    shop.answer('cart.js', 'oops', 500);
    const block = await shop.visit();

    expect(cards(block)).toHaveLength(1);
    expect(shop.called('offers')[0].query.has('cart')).toBe(false);
  });
});

describe('adding to the cart', () => {
  test('never happens without a click', async () => {
    const block = await shop.visit();
    scroll(cards(block)[0], { isIntersecting: true });
    await vi.advanceTimersByTimeAsync(60_000);

    expect(shop.called('cart/add.js')).toEqual([]);
  });

  test('takes one click, carries every item with its token, and reports the acceptance', async () => {
    shop.offers(offer({ kind: 'bundle', items: [item(2), item(3, { quantity: 2 })] }));
    const block = await shop.visit();
    const seen = [];
    document.addEventListener('wellpaired:added', (event) => seen.push(event.detail), { once: true });
    await click(part(block, 'accept'));

    expect(shop.called('cart/add.js').map((call) => call.body)).toEqual([
      {
        items: [
          { id: 21, quantity: 1, properties: { _wp: 'v1.k.token2' } },
          { id: 31, quantity: 2, properties: { _wp: 'v1.k.token3' } },
        ],
      },
    ]);
    expect(shop.events).toEqual([{ decision_id: 'd1', offer_id: '12', event: 'accept' }]);
    expect(part(block, 'live').textContent).toBe('Product 2, Product 3 is in your cart.');
    expect(part(block, 'label').textContent).toBe('Added');
    expect(part(block, 'cart').hidden).toBe(false);
    expect(seen).toMatchObject([{ offer: { offer_id: '12' }, cart: { items: [{ id: 21 }] } }]);
    expect(page.reload).not.toHaveBeenCalled();
  });

  test('happens once however often the button is clicked', async () => {
    const block = await shop.visit();
    const accept = part(block, 'accept');
    accept.click();
    accept.click();
    await settle();
    await click(accept);

    expect(shop.called('cart/add.js')).toHaveLength(1);
    expect(accept.getAttribute('aria-disabled')).toBe('true');
  });

  test('shows what Shopify says when it refuses, reports nothing, and may be tried again', async () => {
    shop.answer(
      'cart/add.js',
      { status: 422, message: 'Cart Error', description: 'All 1 socks are in your cart.' },
      422,
    );
    const block = await shop.visit();
    await click(part(block, 'accept'));

    expect(part(block, 'problem').textContent).toBe('All 1 socks are in your cart.');
    expect(part(block, 'label').textContent).toBe('Add to cart');
    expect(part(block, 'accept').getAttribute('aria-disabled')).toBe('false');
    expect(shop.events).toEqual([]);

    shop.answer('cart/add.js', { items: [] });
    await click(part(block, 'accept'));
    expect(part(block, 'problem').textContent).toBe('');
    expect(shop.events).toHaveLength(1);
  });

  test('says that the cart is unchanged when the connection fails', async () => {
    shop.answers['cart/add.js'] = () => Promise.reject(new TypeError('network'));
    const block = await shop.visit();
    await click(part(block, 'accept'));

    expect(part(block, 'problem').textContent).toBe('This could not be added. Your cart has not changed.');
    expect(shop.events).toEqual([]);
  });

  test('lets the theme name the sections that it wants back', async () => {
    const wish = (event) => Object.assign(event.detail, { sections: 'cart-drawer' });
    document.addEventListener('wellpaired:adding', wish, { once: true });
    const block = await shop.visit();
    await click(part(block, 'accept'));

    expect(shop.called('cart/add.js')[0].body.sections).toBe('cart-drawer');
  });

  test('draws the cart page again, unless the theme does so itself', async () => {
    await click(part(await shop.visit({ pageType: 'cart' }), 'accept'));
    expect(page.reload).toHaveBeenCalledTimes(1);

    document.addEventListener('wellpaired:added', (event) => event.preventDefault(), { once: true });
    await click(part(await shop.visit({ pageType: 'cart' }), 'accept'));
    expect(page.reload).toHaveBeenCalledTimes(1);
  });
});

test('the theme editor tells the merchant why the block is empty, the shop does not', async () => {
  shop.offers();

  expect((await shop.visit({ designMode: true })).textContent).toContain('No offer for this page yet.');
  expect((await shop.visit()).textContent).not.toContain('No offer for this page yet.');
});

test('the script writes no HTML, runs no text and names no other host', () => {
  expect(SCRIPT).not.toMatch(/innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|new Function|https?:/);
});
