// @vitest-environment jsdom
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { cards, click, closeShop, offer, openShop, part, scroll } from './storefront.mjs';

let shop;

beforeEach(() => {
  shop = openShop();
});

afterEach(closeShop);

describe('turning an offer down', () => {
  test('reports it and hides the offer for the session, without consent and without a lasting trace', async () => {
    shop.offers(offer(), offer({ offer_id: '13' }));
    const block = await shop.visit();
    await click(part(block, 'dismiss'));

    expect(shop.events).toEqual([{ decision_id: 'd1', offer_id: '12', event: 'dismiss' }]);
    expect(cards(block)).toHaveLength(1);
    expect(part(block, 'live').textContent).toBe('Offer hidden.');
    expect(document.activeElement).toBe(block);

    const again = await shop.visit();
    expect(cards(again).map((card) => card.offer.offer_id)).toEqual(['13']);
    expect(localStorage).toHaveLength(0);
  });

  test('closes the row when the last offer goes', async () => {
    const block = await shop.visit();
    await click(part(block, 'dismiss'));

    expect(block.dataset.state).toBe('done');
  });

  test.each([7, 30, 90])('snoozes for %i days', async (days) => {
    const block = await shop.visit();
    await click(block.querySelector(`[data-days="${days}"]`));

    expect(shop.events).toEqual([{ decision_id: 'd1', offer_id: '12', event: 'snooze', days }]);
    expect(cards(block)).toEqual([]);
  });

  test('works with Escape, which closes an open menu first', async () => {
    const block = await shop.visit();
    const menu = part(block, 'snooze');
    const escape = () => {
      part(block, 'accept').dispatchEvent(new KeyboardEvent('keydown', { key: 'Escape', bubbles: true }));
    };
    menu.open = true;
    escape();
    expect(menu.open).toBe(false);
    expect(cards(block)).toHaveLength(1);

    escape();
    expect(cards(block)).toEqual([]);
    expect(shop.events.map((event) => event.event)).toEqual(['dismiss']);
  });

  test('works when the browser keeps no storage', async () => {
    const refuse = () => {
      throw new DOMException('denied', 'SecurityError');
    };
    vi.stubGlobal('sessionStorage', { getItem: refuse, setItem: refuse });
    const block = await shop.visit();
    await click(part(block, 'dismiss'));

    expect(cards(block)).toEqual([]);
    expect(shop.events).toHaveLength(1);
  });

  test('survives a session entry that is not ours', async () => {
    sessionStorage.setItem('wellpaired:hidden', '{"a":1}');

    expect(cards(await shop.visit())).toHaveLength(1);
  });
});

describe('who the shopper is', () => {
  const visitor = () => shop.called('offers').at(-1).query.get('visitor');
  const allow = (answer) => {
    window.Shopify = { customerPrivacy: { preferencesProcessingAllowed: () => answer } };
  };

  test('is neither sent nor kept while nobody can say that it is allowed', async () => {
    await shop.visit();

    expect(visitor()).toBeNull();
    expect(localStorage).toHaveLength(0);
  });

  test('is neither sent nor kept without consent, and an old id is deleted', async () => {
    localStorage.setItem('wellpaired:visitor', 'old');
    allow(false);
    await shop.visit();

    expect(visitor()).toBeNull();
    expect(localStorage).toHaveLength(0);
  });

  test('is one random id with consent, the same on the next page', async () => {
    allow(true);
    await shop.visit();
    const first = visitor();
    await shop.visit();

    expect(first).toMatch(/^[0-9a-f-]{36}$/);
    expect(visitor()).toBe(first);
  });

  test('is asked of the consent feature when the theme has not loaded it', async () => {
    window.Shopify = {
      loadFeatures: ([{ name }], done) => {
        expect(name).toBe('consent-tracking-api');
        window.Shopify.customerPrivacy = { preferencesProcessingAllowed: () => true };
        done();
      },
    };
    await shop.visit();

    expect(visitor()).toMatch(/^[0-9a-f-]{36}$/);
  });

  test('is not waited for longer than half a second', async () => {
    localStorage.setItem('wellpaired:visitor', 'old');
    window.Shopify = { loadFeatures: () => {} };
    const block = await shop.visit();
    expect(block.dataset.state).toBe('waiting');
    await vi.advanceTimersByTimeAsync(500);

    expect(block.dataset.state).toBe('shown');
    expect(visitor()).toBeNull();
    expect(localStorage.getItem('wellpaired:visitor')).toBe('old');
  });
});

describe('an impression', () => {
  test('is reported once, after a whole second on screen', async () => {
    const [card] = cards(await shop.visit());
    scroll(card, { isIntersecting: true });
    await vi.advanceTimersByTimeAsync(999);
    expect(shop.events).toEqual([]);
    await vi.advanceTimersByTimeAsync(1);
    expect(shop.events).toEqual([{ decision_id: 'd1', offer_id: '12', event: 'impression' }]);

    scroll(card, { isIntersecting: false });
    scroll(card, { isIntersecting: true });
    await vi.advanceTimersByTimeAsync(10_000);
    expect(shop.events).toHaveLength(1);
  });

  test('is none when the shopper scrolls past', async () => {
    const [card] = cards(await shop.visit());
    scroll(card, { isIntersecting: true });
    await vi.advanceTimersByTimeAsync(900);
    scroll(card, { isIntersecting: false });
    await vi.advanceTimersByTimeAsync(5000);

    expect(shop.events).toEqual([]);
  });

  test('is none when less than half of the card is seen', async () => {
    const [card] = cards(await shop.visit());
    scroll(card, { isIntersecting: true, intersectionRatio: 0.4 });
    await vi.advanceTimersByTimeAsync(5000);

    expect(shop.events).toEqual([]);
  });

  test('waits while the tab is hidden', async () => {
    const [card] = cards(await shop.visit());
    const hidden = vi.spyOn(document, 'hidden', 'get').mockReturnValue(true);
    scroll(card, { isIntersecting: true });
    await vi.advanceTimersByTimeAsync(5000);
    expect(shop.events).toEqual([]);

    hidden.mockReturnValue(false);
    await vi.advanceTimersByTimeAsync(1000);
    expect(shop.events).toHaveLength(1);
  });

  test('is none in the theme editor, nor is anything else', async () => {
    const block = await shop.visit({ designMode: true });
    const [card] = cards(block);
    scroll(card, { isIntersecting: true });
    await vi.advanceTimersByTimeAsync(5000);
    await click(part(card, 'dismiss'));

    expect(shop.events).toEqual([]);
  });
});

test('a click on the product is reported', async () => {
  const link = part(await shop.visit(), 'title');
  link.removeAttribute('href');
  await click(link);

  expect(shop.events).toEqual([{ decision_id: 'd1', offer_id: '12', event: 'click' }]);
});
