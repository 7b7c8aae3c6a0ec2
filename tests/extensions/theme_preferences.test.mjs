// @vitest-environment jsdom
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { cards, click, closeShop, offer, openShop, part, settle } from './storefront.mjs';

let shop;

beforeEach(() => {
  shop = openShop();
  shop.offers(offer(), offer({ offer_id: '13', kind: 'replenish' }), offer({ offer_id: '14' }));
});

afterEach(closeShop);

const NOBODY = { error: { code: 'invalid_input', message: 'nobody is named whose word could be kept' } };
const ids = (block) => cards(block).map((card) => card.offer.offer_id);
const allow = () => {
  window.Shopify = { customerPrivacy: { preferencesProcessingAllowed: () => true } };
};

async function open(options) {
  const block = await shop.visit(options);
  await click(part(block, 'fewer'));
  return { block, form: part(block, 'preferences') };
}

async function choose(form, level) {
  form.querySelector(`[value="${level}"]`).checked = true;
  form.requestSubmit();
  await settle();
}

describe('the form behind "Fewer or no offers"', () => {
  test('is asked for by a button on every card, in the language of the page', async () => {
    const words = async (locale) => cards(await shop.visit({ locale })).map((card) => part(card, 'fewer').textContent);

    expect(await words('en')).toEqual(Array(3).fill('Fewer or no offers'));
    expect(await words('de')).toEqual(Array(3).fill('Weniger oder keine Angebote'));
  });

  test('stands in the place of the cards, over nothing, with the level in force chosen', async () => {
    shop.answer('preferences', { level: 'fewer', levels: [] });
    const { block, form } = await open();

    expect(block.dataset.view).toBe('preferences');
    expect(form.elements.level.value).toBe('fewer');
    expect(form.contains(document.activeElement)).toBe(true);
    expect(block.querySelectorAll('dialog, [aria-modal], [role="dialog"]')).toHaveLength(0);
    expect([...form.elements.level].map((radio) => radio.value)).toEqual(['all', 'fewer', 'restock_only', 'none']);
  });

  test('keeps what the shopper chose while the answer was on its way', async () => {
    let answer;
    shop.answers.preferences = () => new Promise((resolve) => (answer = resolve));
    const { form } = await open();
    form.elements.level.value = 'none';
    answer(new Response('{"level":"all"}'));
    await settle();

    expect(form.elements.level.value).toBe('none');
  });

  test.each([
    ['all', 'Saved. You will see all offers.', ['12', '13', '14']],
    ['fewer', 'Saved. You will see fewer offers.', ['12']],
    ['restock_only', 'Saved. You will only be reminded of what you bought.', ['13']],
    ['none', 'Saved. You will see no more offers.', []],
  ])('keeps "%s" with the app, says so in words and obeys at once', async (level, words, left) => {
    allow();
    const { block, form } = await open();
    await choose(form, level);

    const call = shop.called('preferences').find(({ method }) => method === 'POST');
    expect(call.body).toEqual({ level, offer_id: 12 });
    expect(call.query.get('visitor')).toBe(localStorage.getItem('wellpaired:visitor'));
    expect(part(form, 'said').textContent).toBe(words);
    expect(ids(block)).toEqual(left);
    expect(localStorage.getItem('wellpaired:level')).toBeNull();
  });

  test.each(['fewer', 'restock_only', 'none'])('keeps "%s" in the browser of somebody nobody knows', async (level) => {
    shop.answer('preferences', NOBODY, 400);
    const { block, form } = await open();
    await choose(form, level);
    expect(part(form, 'said').textContent).toMatch(/^Saved\. .+ This holds in this browser\.$/);
    const left = ids(block);

    shop.calls = [];
    const again = await shop.visit();
    expect(ids(again)).toEqual(left);
    expect(shop.called('offers')).toHaveLength(level === 'none' ? 0 : 1);
    expect(Object.keys(localStorage)).toEqual(['wellpaired:level']);
  });

  test('takes back a word of the browser as soon as the app keeps a later one', async () => {
    localStorage.setItem('wellpaired:level', 'fewer');
    allow();
    const { form } = await open();
    expect(form.elements.level.value).toBe('fewer');
    await choose(form, 'all');

    expect(localStorage.getItem('wellpaired:level')).toBeNull();
    expect(ids(await shop.visit())).toEqual(['12', '13', '14']);
  });

  test.each([
    ['the app is away', 503, { error: { code: 'try_again' } }],
    ['the answer is no JSON', 200, 'oops'],
  ])('says so when nothing was kept because %s', async (_, status, body) => {
    const { block, form } = await open();
    shop.answer('preferences', body, status);
    await choose(form, 'none');

    expect(part(form, 'said').textContent).toBe('This could not be saved. Please try again.');
    expect(ids(block)).toEqual(['12', '13', '14']);
    expect(localStorage).toHaveLength(0);
  });

  test('says so when the browser keeps nothing either', async () => {
    shop.answer('preferences', NOBODY, 400);
    const { form } = await open();
    vi.stubGlobal('localStorage', {
      getItem: () => null,
      setItem: () => {
        throw new DOMException('denied', 'SecurityError');
      },
    });
    await choose(form, 'none');

    expect(part(form, 'said').textContent).toBe('This could not be saved. Please try again.');
  });

  test('saves nothing while nothing is chosen', async () => {
    shop.answer('preferences', {}, 503);
    const { form } = await open();
    shop.calls = [];
    form.requestSubmit();
    await settle();

    expect(shop.calls).toEqual([]);
  });

  test.each(['its button', 'Escape'])('goes back to the cards with %s, and the focus to where it was', async (way) => {
    const { block, form } = await open();
    if (way === 'Escape') form.dispatchEvent(new KeyboardEvent('keydown', { key: 'Escape' }));
    else await click(part(form, 'back'));

    expect(block.dataset.view).toBeUndefined();
    expect(document.activeElement).toBe(part(cards(block)[0], 'fewer'));
    expect(shop.events).toEqual([]);
  });

  test('leaves every key but Escape to the browser', async () => {
    const { form } = await open();
    const down = new KeyboardEvent('keydown', { key: 'ArrowDown', cancelable: true });
    form.dispatchEvent(down);

    expect(down.defaultPrevented).toBe(false);
  });

  test('folds up after "none"', async () => {
    allow();
    const { block, form } = await open();
    await choose(form, 'none');
    expect(block.dataset.state).toBe('shown');
    await click(part(form, 'back'));

    expect(block.dataset.state).toBe('done');
  });
});

describe('a snooze', () => {
  test.each([7, 30, 90])('of %i days silences every card here, whoever the shopper is, and then ends', async (days) => {
    const block = await shop.visit();
    await click(block.querySelector(`[data-days="${days}"]`));
    expect(cards(block)).toEqual([]);
    expect(part(block, 'live').textContent).toBe('No offers for as long as you chose.');

    shop.calls = [];
    const day = 86_400_000;
    await vi.advanceTimersByTimeAsync(days * day - 1000);
    expect((await shop.visit()).dataset.state).toBe('empty');
    expect(shop.calls).toEqual([]);
    await vi.advanceTimersByTimeAsync(2000);
    expect(ids(await shop.visit())).toEqual(['12', '13', '14']);
  });

  test('that a merchant tries in the theme editor is kept nowhere, and neither is a level', async () => {
    const { block, form } = await open({ designMode: true });
    shop.calls = [];
    await choose(form, 'none');
    await click(part(form, 'back'));
    await click(block.querySelector('[data-days="30"]'));

    expect(shop.calls).toEqual([]);
    expect(localStorage).toHaveLength(0);
  });

  test('does not keep the merchant from seeing their offers in the theme editor', async () => {
    localStorage.setItem('wellpaired:until', String(Date.now() + 1e9));

    expect(cards(await shop.visit({ designMode: true }))).toHaveLength(3);
  });
});

describe('a quiet page', () => {
  test.each(['policy', 'password', 'captcha', 'customers/login', 'customers/register'])(
    'of type %s has no block and asks nothing',
    async (pageType) => {
      expect(await shop.visit({ pageType })).toBeNull();
      expect(shop.calls).toEqual([]);
    },
  );

  test('is told to the app by type and address, the address at most 500 characters', async () => {
    await shop.visit({ pageType: 'page', address: `/pages/returns?x=${'a'.repeat(600)}` });

    const { query } = shop.called('offers')[0];
    expect(query.get('page')).toBe('page');
    expect(query.get('path')).toMatch(/^\/pages\/returns/);
    expect(query.get('path')).toHaveLength(500);
  });
});
