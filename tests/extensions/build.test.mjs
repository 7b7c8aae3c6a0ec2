import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import zlib from 'node:zlib';
import { expect, onTestFinished, test } from 'vitest';
import { appUrl, bundleHost, bundleOfferBlock, bundlePostPurchase, REPOSITORY } from '../../tools/build.mjs';
import { THEME, translations } from './theme_block.mjs';

function repositoryWith(manifest) {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'wellpaired-build-'));
  onTestFinished(() => fs.rmSync(folder, { recursive: true }));
  if (manifest) fs.writeFileSync(path.join(folder, 'shopify.app.toml'), manifest);
  return folder;
}

test('the address is the environment before the manifest, without a slash at its end', () => {
  const folder = repositoryWith('name = "x"\napplication_url = "https://toml.test/"\n');

  expect(appUrl({}, folder)).toBe('https://toml.test');
  expect(appUrl({ WELLPAIRED_APP_URL: 'https://env.test/' }, folder)).toBe('https://env.test');
});

test('a build without an address stops and names the key', () => {
  expect(() => appUrl({}, repositoryWith())).toThrow('set WELLPAIRED_APP_URL');
});

test('what Shopify loads is far below its limit and asks for no environment', async () => {
  const code = await bundlePostPurchase({ url: 'https://app.test' });

  expect(zlib.brotliCompressSync(Buffer.from(code)).length).toBeLessThan(8_000);
  expect(code).not.toMatch(/process\.env|__WELLPAIRED_APP_URL__/);
});

test('the script of the theme block in the repository is what its source builds', async () => {
  const kept = fs.readFileSync(path.join(THEME, 'assets/wellpaired-offer.js'), 'utf8');

  expect(kept).toBe(await bundleOfferBlock());
  expect(zlib.gzipSync(kept).length).toBeLessThan(5_000);
});

test('the host of the dev store builds', async () => {
  expect(await bundleHost()).toContain('Checkout::PostPurchase::ShouldRender');
});

test('every language says the same things', () => {
  const keys = (words) => Object.keys(words.offer).toSorted();

  expect(keys(translations('de'))).toEqual(keys(translations('en')));
});

test('the lock names no registry', () => {
  const lock = fs.readFileSync(path.join(REPOSITORY, 'package-lock.json'), 'utf8');

  expect(lock).not.toMatch(/"resolved"|registry\./);
});
