/** Calls to the app. Each proves itself with the input token, which Shopify signed for this one purchase. */

// ShouldRender holds up the thank-you page, so it gets the least time; a signature is worth a wait.
const OFFERS_WITHIN_MS = 1200;
const SIGNATURE_WITHIN_MS = 10000;
const REPORT_WITHIN_MS = 400;

/**
 * The app's address. There is no environment where this runs: tools/build.mjs and Shopify's CLI both write the value of
 * `process.env.…` into the script. Only a development build may be pointed elsewhere by its host page.
 */
function appUrl() {
  const isDevelopment = process.env.NODE_ENV === 'development';
  return (isDevelopment && globalThis.__WELLPAIRED_APP_URL__) || process.env.WELLPAIRED_APP_URL;
}

async function send(path, inputData, body, options) {
  const response = await fetch(`${appUrl()}/ext/post-purchase/${path}`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', Authorization: `Bearer ${inputData.token}` },
    body: JSON.stringify({ reference_id: inputData.initialPurchase.referenceId, ...body }),
    ...options,
  });
  if (!response.ok) throw new Error(`${path} answered ${response.status}`);
  return response.json();
}

/** Like `send`, but rejects when the whole answer is not there in time. */
function ask(path, inputData, body, withinMs) {
  const stop = new AbortController();
  const late = new Promise((_, reject) => {
    setTimeout(() => {
      stop.abort();
      reject(new Error(`${path} is late`));
    }, withinMs);
  });
  return Promise.race([send(path, inputData, body, { signal: stop.signal }), late]);
}

/** The offers for this purchase. */
export function askForOffers(inputData) {
  return ask('offers', inputData, { locale: inputData.locale }, OFFERS_WITHIN_MS);
}

/** The signed changeset for an offer that the app made for this purchase. */
export async function askForSignature(inputData, named) {
  const { token } = await ask('sign', inputData, named, SIGNATURE_WITHIN_MS);
  if (typeof token !== 'string') throw new Error('no changeset token');
  return token;
}

/** Report what the shopper did. Resolves soon and always: a report is never worth a shopper's wait. */
export function report(inputData, named, event) {
  const soon = new Promise((resolve) => {
    setTimeout(resolve, REPORT_WITHIN_MS);
  });
  const sent = send('events', inputData, { ...named, event }, { keepalive: true }).catch(() => {});
  return Promise.race([sent, soon]);
}
