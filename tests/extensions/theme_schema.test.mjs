import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { checkTheme } from '../../tools/lint_theme.mjs';
import { checkBlock, checkThemeSchemas } from '../../tools/theme_schema.mjs';
import { THEME } from './theme_block.mjs';

const range = { type: 'range', id: 'most', label: 'Most', min: 1, max: 6, step: 1, default: 3 };

function complaints(changes) {
  const schema = { name: 'Offers', target: 'section', settings: [], ...changes };
  return checkBlock(`<div></div>{% schema %}${JSON.stringify(schema)}{% endschema %}`, THEME);
}

test('our own blocks are clean', () => {
  expect(checkThemeSchemas(THEME)).toEqual([]);
});

test.each([
  ['a target that does not exist', { target: 'sidebar' }, 'unknown target "sidebar"'],
  ['a key that does not exist', { presets: [] }, 'unknown key "presets"'],
  ['a template that does not exist', { enabled_on: { templates: ['produkt'] } }, 'unknown template "produkt"'],
  ['a script that is not there', { javascript: 'gone.js' }, 'javascript "gone.js" is not in assets'],
  ['a name that is too long', { name: 'A name of twenty-five let' }, 'name must have under 25 characters'],
  ['a translation that is not there', { name: 't:block.gone' }, 'lacks "block.gone"'],
  ['an id used twice', { settings: [range, range] }, 'setting id "most" is used twice'],
  ['a range with too many steps', { settings: [{ ...range, max: 500 }] }, 'has 500 steps'],
  ['a default off the range', { settings: [{ ...range, default: 9 }] }, 'has a default off its steps'],
  ['a type that does not exist', { settings: [{ ...range, type: 'slider' }] }, 'settings/0/type'],
  ['a setting without an id', { settings: [{ type: 'text', label: 'x' }] }, 'settings/0'],
])('%s is found', (_, changes, complaint) => {
  expect(complaints(changes).join('\n')).toContain(complaint);
});

test('a schema that is missing or no JSON is found', () => {
  expect(checkBlock('<div></div>', THEME)).toEqual(['needs exactly one schema, has 0']);
  expect(checkBlock('{% schema %}{,}{% endschema %}', THEME)[0]).toContain('schema is not JSON');
});

test('theme-check finds a script that is too large and a filter that does not exist', async () => {
  const copy = fs.mkdtempSync(path.join(os.tmpdir(), 'wellpaired-theme-'));
  onTestFinished(() => fs.rmSync(copy, { recursive: true }));
  fs.cpSync(THEME, copy, { recursive: true });
  fs.appendFileSync(path.join(copy, 'assets/wellpaired-offer.js'), `// ${'x'.repeat(10_000)}\n`);
  const block = path.join(copy, 'blocks/offer.liquid');
  fs.writeFileSync(block, `{{ product.title | no_such_filter }}\n${fs.readFileSync(block, 'utf8')}`);

  const found = (await checkTheme(copy)).join('\n');
  expect(found).toContain('AssetSizeAppBlockJavaScript');
  expect(found).toContain('no_such_filter');
});
