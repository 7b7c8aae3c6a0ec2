/**
 * One shopper's way through the offers: show, calculate, then accept or decline, then the next offer or the end.
 *
 * Whatever fails, the paid order stays as it is and the shopper can always go on; done() is called exactly once.
 */
import { askForSignature, report } from './app.js';
import { drawEnding, drawOffer } from './page.js';
import { wordsFor } from './words.js';

// The same signed changeset twice is one change, so this "error" means that the shopper has what they asked for.
const ALREADY_APPLIED = 'changeset_already_applied';

export function runOffers(root, api) {
  const { inputData, storage } = api;
  const { decision_id: decisionId, offers = [] } = storage.initialData ?? {};
  const journey = { root, api, inputData, decisionId, offers, words: wordsFor(inputData.locale), isOver: false };
  return showOffer(journey, 0);
}

/** A page that cannot be drawn must not hold the shopper: they go on to their order. */
async function showOffer(journey, index) {
  try {
    await tryOffer(journey, index);
  } catch {
    await finish(journey);
  }
}

async function tryOffer(journey, index) {
  const offer = journey.offers[index];
  if (!offer) return finish(journey);
  const { api, root, words, inputData } = journey;
  const step = {
    offer,
    isAnswered: false,
    next: () => showOffer(journey, index + 1),
    report: (event) => report(inputData, named(journey, offer), event),
  };
  const page = drawOffer(root, offer, { words, locale: inputData.locale });
  page.onDecline(() => decline(step));
  const purchase = await calculated(api, offer);
  if (step.isAnswered) return undefined;
  // Shopify would not sell it (sold out since, say): an offer that cannot be taken is not shown.
  if (!purchase) return step.next();
  // Nobody can accept before the total is on the page.
  page.showCost(purchase);
  page.onAccept(() => accept(journey, step, page));
  step.report('impression');
  return undefined;
}

async function calculated(api, offer) {
  try {
    const result = await api.calculateChangeset({ changes: offer.changes });
    return result.status === 'processed' ? result.calculatedPurchase : null;
  } catch {
    return null;
  }
}

async function accept(journey, step, page) {
  if (step.isAnswered) return;
  step.isAnswered = true;
  page.setBusy(true);
  let token;
  try {
    token = await askForSignature(journey.inputData, named(journey, step.offer));
  } catch {
    // Nothing was sent to Shopify yet, so trying again is safe.
    step.isAnswered = false;
    page.setBusy(false);
    page.showProblem(journey.words.notSigned);
    return;
  }
  await apply(journey, step, token);
}

async function apply(journey, step, token) {
  const result = await journey.api.applyChangeset(token).catch(() => ({ status: 'unprocessed' }));
  const codes = (result.errors ?? []).map((error) => error.code);
  if (result.status === 'unprocessed' && !codes.includes(ALREADY_APPLIED)) return explain(journey, codes);
  await step.report('accept');
  // A payment that only half went through is no moment for another offer.
  const mayGoOn = result.status === 'processed' && (result.changesetApplicationsRemaining ?? 1) > 0;
  return mayGoOn ? step.next() : finish(journey);
}

async function decline(step) {
  if (step.isAnswered) return;
  step.isAnswered = true;
  await step.report('dismiss');
  await step.next();
}

/** The charge was refused. Trying again could charge twice, so the only way is on to the order. */
function explain(journey, codes) {
  const { root, words } = journey;
  const reason = codes.map((code) => words.problems[code]).find(Boolean) ?? words.problems.other;
  drawEnding(root, { title: words.notAdded, text: `${reason} ${words.orderUnaffected}`, button: words.goOn }, () =>
    finish(journey),
  );
}

async function finish(journey) {
  if (journey.isOver) return;
  journey.isOver = true;
  await journey.api.done().catch(() => {});
}

function named(journey, offer) {
  return { decision_id: journey.decisionId, offer_id: offer.offer_id };
}
