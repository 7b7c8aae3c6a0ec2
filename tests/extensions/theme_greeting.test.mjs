// @vitest-environment jsdom
import { afterEach, beforeEach, expect, test } from 'vitest';
import { cards, click, closeShop, offer, openShop, part, scroll } from './storefront.mjs';
import { renderBlock } from './theme_block.mjs';

let shop;
const greeting = { with_name: '{first_name}, this may suit you', without_name: 'This may suit you' };

beforeEach(() => {
  shop = openShop();
  shop.offers(offer({ greeting }));
});

afterEach(closeShop);

const named = (first_name) => ({ customer: { id: 5, first_name, 'b2b?': false } });
const greeted = async (options) => part(await shop.visit(options), 'greeting').textContent;

test('a customer who is logged in is greeted by their first name', async () => {
  expect(await greeted(named('Anna'))).toBe('Anna, this may suit you');
});

test.each(['$&', "O'Neil", 'Žofie', '李', '&amp;'])('the name %s reads as it is written', async (name) => {
  expect(await greeted(named(name))).toBe(`${name}, this may suit you`);
});

test('a name that is a script stays a name', async () => {
  const name = '<img src=x onerror=hacked=1>';
  const block = await shop.visit(named(name));

  expect(part(block, 'greeting').textContent).toBe(`${name}, this may suit you`);
  expect(block.querySelectorAll('img[src="x"]')).toHaveLength(0);
  expect(renderBlock(named('"><script>x</script>'))).not.toContain('<script>');
  expect(window.hacked).toBeUndefined();
});

test.each([undefined, '', null, '{first_name}', 'x'.repeat(41)])('%s is no name to greet by', async (name) => {
  expect(await greeted(named(name))).toBe('This may suit you');
});

test('a guest reads the greeting without a name, and the page has no place for one', async () => {
  expect(await greeted({})).toBe('This may suit you');
  expect(renderBlock()).not.toMatch(/data-first-name|data-business/);
});

test('without a greeting from the app nobody is greeted, known or not', async () => {
  shop.offers(offer());

  expect(await greeted(named('Anna'))).toBe('');
});

test('the first name is sent to nobody, whatever the shopper does', async () => {
  const name = 'Wilhelmine';
  const block = await shop.visit(named(name));
  const [card] = cards(block);
  scroll(card, { isIntersecting: true });
  await click(part(card, 'fewer'));
  part(block, 'preferences').elements.level.value = 'fewer';
  part(block, 'preferences').requestSubmit();
  await click(part(block, 'back'));
  await click(part(card, 'accept'));

  expect(shop.calls.length).toBeGreaterThan(5);
  expect(shop.said).not.toContain(name);
});

test('a business customer is said to be one, another customer not to be, and of a guest nothing is said', async () => {
  const asked = () => shop.called('offers').at(-1).query.get('business');
  await shop.visit({ customer: { id: 5, 'b2b?': true } });
  expect(asked()).toBe('true');
  await shop.visit(named('Anna'));
  expect(asked()).toBe('false');
  await shop.visit();
  expect(asked()).toBeNull();
});
