/**
 * Stands in for Shopify's post-purchase page in the dev store: loads the real extension, asks ShouldRender, then Render,
 * and draws the remote tree as HTML.
 *
 * In: `window.__postPurchase = {bundleUrl, inputData, calculateUrl, applyUrl, doneUrl, appUrl}`. Out: JSON posts of
 * `{changes}` or `{token}` to `calculateUrl` and of `{token}` to `applyUrl`, and a visit to `doneUrl` when the extension is done or has nothing to show.
 * For development and tests only: it proves our extension, not Shopify's components.
 */
import { createRemoteReceiver, createRemoteRoot } from '@remote-ui/core';
import { COMPONENTS, drawInto } from './draw.js';
import styles from './styles.css';

const SHOULD_RENDER = 'Checkout::PostPurchase::ShouldRender';
const RENDER = 'Checkout::PostPurchase::Render';

async function start() {
  const page = window.__postPurchase;
  try {
    const handlers = await loadExtension(page);
    const storage = makeStorage();
    const { render } = await handlers[SHOULD_RENDER](inputFor(page, storage, SHOULD_RENDER));
    if (!render) return leave(page);
    await show(handlers[RENDER], page, storage);
  } catch (problem) {
    // As at Shopify: an extension that fails never keeps a shopper from the thank-you page.
    console.error(problem);
    leave(page);
  }
}

async function loadExtension({ bundleUrl, appUrl }) {
  const handlers = {};
  globalThis.__WELLPAIRED_APP_URL__ = appUrl;
  globalThis.shopify = { extend: (point, handler) => (handlers[point] = handler), reload: () => location.reload() };
  await new Promise((resolve, reject) => {
    const script = document.createElement('script');
    script.src = bundleUrl;
    script.onload = resolve;
    script.onerror = () => reject(new Error(`could not load ${bundleUrl}`));
    document.head.append(script);
  });
  return handlers;
}

/** Render sees what ShouldRender stored, as data: functions and references do not survive the way. */
function makeStorage() {
  let data;
  return {
    get initialData() {
      return data;
    },
    update: async (next) => {
      data = structuredClone(next);
    },
  };
}

function inputFor({ inputData }, storage, extensionPoint) {
  return { extensionPoint, inputData: { ...inputData, extensionPoint }, storage };
}

async function show(render, page, storage) {
  const style = document.createElement('style');
  style.textContent = styles;
  document.head.append(style);
  const receiver = createRemoteReceiver();
  const root = createRemoteRoot(receiver.receive, { components: [...COMPONENTS] });
  drawInto(hostElement(), receiver);
  await render(root, { ...inputFor(page, storage, RENDER), ...changesetCalls(page), done: async () => leave(page) });
  await root.mount();
  hostElement().setAttribute('aria-busy', 'false');
}

function hostElement() {
  const found = document.getElementById('post-purchase');
  if (found) return found;
  const made = document.createElement('main');
  made.id = 'post-purchase';
  document.body.append(made);
  return made;
}

function changesetCalls({ calculateUrl, applyUrl }) {
  return {
    calculateChangeset: (changeset) =>
      postJson(calculateUrl, typeof changeset === 'string' ? { token: changeset } : { changes: changeset.changes }),
    applyChangeset: (changeset, options) => {
      if (typeof changeset !== 'string') throw new TypeError('applyChangeset takes a signed changeset');
      return postJson(applyUrl, { token: changeset, ...options });
    },
  };
}

async function postJson(url, body) {
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify(body),
  });
  return response.json();
}

function leave({ doneUrl }) {
  location.assign(doneUrl);
}

start();
