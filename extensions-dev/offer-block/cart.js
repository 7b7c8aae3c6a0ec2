/** One click into Shopify's cart: what is added, and what makes way for it. Prices are the shop's; we send none. */
import { idNumber, post, request } from './requests.js';

const MOST_LINES = 100;

/** The cart as the app is told of it: `variant:quantity` a line, with `:plan` for one on a selling plan. */
export const linesOf = (items) =>
  items?.slice(0, MOST_LINES).map(({ variant_id, quantity, selling_plan_allocation: plan }) => {
    return [variant_id, quantity, ...(plan ? [plan.selling_plan?.id ?? 0] : [])].join(':');
  });

/** The discount codes that were entered, whether or not they take anything off now. */
export const codesOf = (codes) => codes?.map(({ code }) => code);

/** What the Ajax cart is sent for an offer. */
export function itemsOf(offer) {
  return offer.items.map(({ variant_id, quantity, selling_plan_id, token }) => {
    const selling_plan = selling_plan_id ? idNumber(selling_plan_id) : undefined;
    return { id: idNumber(variant_id), quantity, selling_plan, properties: { _wp: token } };
  });
}

/**
 * The lines that an offer replaces, each with the quantity it will have. Rejects when the cart no longer holds them:
 * adding alone would leave the shopper with both. A line on a selling plan is a subscription and is left alone.
 */
export async function linesToChange(root, { replaces }) {
  if (!replaces) return [];
  const { items } = await request(`${root}cart.js`);
  let left = replaces.quantity;
  const changes = [];
  for (const { key, variant_id, quantity, selling_plan_allocation } of items) {
    if (variant_id !== idNumber(replaces.variant_id) || selling_plan_allocation || !left) continue;
    const taken = Math.min(left, quantity);
    changes.push({ id: key, quantity: quantity - taken });
    left -= taken;
  }
  if (left) throw new Error('the cart has changed');
  return changes;
}

/** Make room for what was added; if that fails, what was added goes again. Rejects then, with whether that worked. */
export async function makeRoom(root, changes, added, wanted) {
  const change = (each) => post(`${root}cart/change.js`, each);
  let changed = 0;
  try {
    for (const each of changes) {
      await change(each);
      changed += 1;
    }
  } catch {
    const isUndone = await takeBack(change, added.items, wanted).catch(() => false);
    throw Object.assign(new Error('nothing was replaced'), { isUnsure: changed > 0 || !isUndone });
  }
}

async function takeBack(change, added, wanted) {
  for (const { id, quantity } of wanted) {
    const line = added.find((each) => each.id === id);
    await change({ id: line.key, quantity: line.quantity - quantity });
  }
  return true;
}
