import { beforeEach, describe, expect, test, vi } from 'vitest';
import { all, buttons, FakeApp, HASTE, open, press, reply, settle, text } from './post_purchase_stage.mjs';

let app;

beforeEach(() => {
  app = new FakeApp();
});

describe('accepting', () => {
  test('has the app sign its own offer, applies that, and goes on to the next offer', async () => {
    const page = await open(app);
    await press(page, 0);

    expect(app.bodies('sign')).toEqual([{ reference_id: 'r1', decision_id: 'd1', offer_id: '1' }]);
    expect(page.api.applyChangeset.mock.calls).toEqual([['signed.jwt']]);
    expect(app.events).toEqual(['1 impression', '1 accept', '2 impression']);
    expect(text(all(page.tree(), 'Heading')[0])).toBe('Socks 2');
    expect(page.api.done).not.toHaveBeenCalled();
  });

  test('ends after the last offer, once', async () => {
    const page = await open(app);
    await press(page, 0);
    await press(page, 0);

    expect(page.api.applyChangeset).toHaveBeenCalledTimes(2);
    expect(page.api.done).toHaveBeenCalledTimes(1);
  });

  test('happens once on a double press, and cannot be declined meanwhile', async () => {
    const page = await open(app);
    const [accept, declineButton] = buttons(page);
    accept.props.onPress();
    accept.props.onPress();
    declineButton.props.onPress();
    await settle(page);

    expect(app.bodies('sign')).toHaveLength(1);
    expect(page.api.applyChangeset).toHaveBeenCalledTimes(1);
    expect(app.events).not.toContain('1 dismiss');
  });

  test.each([
    ['refuses', () => reply({ error: { code: 'x' } }, 409)],
    ['answers without a token', () => reply({})],
    ['does not answer', () => new Promise(() => {})],
  ])('changes nothing when the app %s, and may be tried again', async (_, answer) => {
    app.answers.sign = answer;
    const page = await open(app);
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
    const page = await open(app, { applyChangeset });
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
    const page = await open(app, { applyChangeset: () => Promise.reject(new Error('x')) });
    await press(page, 0);

    expect(text(page.tree())).toContain('Something went wrong on our side.');
  });

  test('counts a changeset that is already applied as accepted', async () => {
    const errors = [{ code: 'changeset_already_applied' }];
    const page = await open(app, { applyChangeset: async () => ({ status: 'unprocessed', errors }) });
    await press(page, 0);

    expect(app.events).toContain('1 accept');
  });

  test.each([
    ['Shopify takes no more changes', { status: 'processed', changesetApplicationsRemaining: 0 }],
    ['only half went through', { status: 'partially_processed', changesetApplicationsRemaining: 1 }],
  ])('shows no second offer when %s', async (_, result) => {
    const page = await open(app, { applyChangeset: async () => ({ errors: [], ...result }) });
    await press(page, 0);

    expect(page.api.done).toHaveBeenCalledTimes(1);
    expect(app.events).toEqual(['1 impression', '1 accept']);
  });

  test('does not depend on the report arriving', async () => {
    app.answers.events = () => new Promise(() => {});
    const page = await open(app);
    await press(page, 0);

    expect(text(all(page.tree(), 'Heading')[0])).toBe('Socks 2');
  });
});

describe('declining', () => {
  test('reports it, shows the next offer, then ends; nothing is signed', async () => {
    const page = await open(app);
    await press(page, 1);
    await press(page, 1);

    expect(app.events).toEqual(['1 impression', '1 dismiss', '2 impression', '2 dismiss']);
    expect(page.api.done).toHaveBeenCalledTimes(1);
    expect(app.bodies('sign')).toEqual([]);
    expect(page.api.applyChangeset).not.toHaveBeenCalled();
  });
});
