/**
 * Checks the JSON inside `{% schema %}` of a theme app extension's blocks, which theme-check leaves unread in app mode.
 *
 * Settings are checked against Shopify's own JSON schemas (shipped with theme-check); what those do not say (ids used
 * twice, ranges of too many steps, targets, files and translations that must exist) is checked here.
 * Source: Shopify, "App blocks for themes: schema" and "Input settings", as read for Admin API 2026-10.
 */
import fs from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import Ajv from 'ajv';

const BLOCK_KEYS = [
  'name',
  'target',
  'javascript',
  'stylesheet',
  'enabled_on',
  'disabled_on',
  'class',
  'tag',
  'available_if',
  'settings',
  'default',
];
const TARGETS = ['section', 'head', 'compliance_head', 'body'];
const TEMPLATES = [
  '*',
  '404',
  'article',
  'blog',
  'captcha',
  'cart',
  'collection',
  'customers/account',
  'customers/activate_account',
  'customers/addresses',
  'customers/login',
  'customers/order',
  'customers/register',
  'customers/reset_password',
  'gift_card',
  'index',
  'list-collections',
  'metaobject',
  'page',
  'password',
  'policy',
  'product',
  'search',
];
const LONGEST_NAME = 25;
const MOST_RANGE_STEPS = 101;
const SCHEMA = /{%-?\s*schema\s*-?%}([\s\S]*?){%-?\s*endschema\s*-?%}/g;

/** Every complaint about the blocks of one extension, one line each; an empty list means clean. */
export function checkThemeSchemas(extensionFolder) {
  const blocks = path.join(extensionFolder, 'blocks');
  return fs
    .readdirSync(blocks)
    .filter((name) => name.endsWith('.liquid'))
    .flatMap((name) => {
      const source = fs.readFileSync(path.join(blocks, name), 'utf8');
      return checkBlock(source, extensionFolder).map((complaint) => `blocks/${name}: ${complaint}`);
    });
}

/** Complaints about one block's source. */
export function checkBlock(source, extensionFolder) {
  const found = [...source.matchAll(SCHEMA)];
  if (found.length !== 1) return [`needs exactly one schema, has ${found.length}`];
  let schema;
  try {
    schema = JSON.parse(found[0][1]);
  } catch (problem) {
    return [`schema is not JSON: ${problem.message}`];
  }
  return [
    ...checkHead(schema, extensionFolder),
    ...checkSettings(schema.settings ?? []),
    ...checkTranslations(schema, extensionFolder),
  ];
}

function checkHead(schema, extensionFolder) {
  const complaints = [];
  const complainIf = (isWrong, complaint) => isWrong && complaints.push(complaint);
  for (const key of Object.keys(schema)) complainIf(!BLOCK_KEYS.includes(key), `unknown key "${key}"`);
  complainIf(typeof schema.name !== 'string' || !schema.name, 'name is missing');
  complainIf(!TARGETS.includes(schema.target), `unknown target "${schema.target}"`);
  complainIf(schema.enabled_on && schema.disabled_on, 'enabled_on and disabled_on exclude each other');
  for (const template of templatesOf(schema)) {
    complainIf(!TEMPLATES.includes(template), `unknown template "${template}"`);
  }
  for (const key of ['javascript', 'stylesheet'].filter((each) => schema[each])) {
    const file = path.join(extensionFolder, 'assets', schema[key]);
    complainIf(!fs.existsSync(file), `${key} "${schema[key]}" is not in assets`);
  }
  return complaints;
}

function templatesOf({ enabled_on: on, disabled_on: off }) {
  return [on, off].flatMap((rule) => rule?.templates ?? []);
}

function checkSettings(settings) {
  const validate = settingsValidator();
  const complaints = validate(settings)
    ? []
    : validate.errors
        .filter((error) => error.keyword !== 'if')
        .map((error) => `settings${error.instancePath} ${error.message}`);
  const seen = new Set();
  for (const setting of settings) {
    if (setting.id && seen.has(setting.id)) complaints.push(`setting id "${setting.id}" is used twice`);
    seen.add(setting.id);
    complaints.push(...checkRange(setting), ...checkDefault(setting));
  }
  return complaints;
}

function checkRange(setting) {
  if (setting.type !== 'range') return [];
  const { id, min, max, step = 1, default: initial } = setting;
  const steps = (max - min) / step + 1;
  const complaints = [];
  if (!(min < max)) complaints.push(`range "${id}" needs min below max`);
  if (steps > MOST_RANGE_STEPS) complaints.push(`range "${id}" has ${steps} steps, at most ${MOST_RANGE_STEPS}`);
  if (!(initial >= min && initial <= max && Number.isInteger((initial - min) / step))) {
    complaints.push(`range "${id}" has a default off its steps`);
  }
  return complaints;
}

function checkDefault({ type, id, options, default: initial }) {
  if (!['select', 'radio'].includes(type) || initial === undefined) return [];
  return options?.some(({ value }) => value === initial) ? [] : [`${type} "${id}" has a default that is no option`];
}

/** `t:` keys must exist in the default schema locale; plain or translated, a block's name has a longest length. */
function checkTranslations(schema, extensionFolder) {
  const complaints = [];
  for (const file of schemaLocales(extensionFolder)) {
    const words = JSON.parse(fs.readFileSync(path.join(extensionFolder, 'locales', file), 'utf8'));
    const translate = (text) =>
      text
        .slice(2)
        .split('.')
        .reduce((found, key) => found?.[key], words);
    for (const text of texts(schema).filter((each) => each.startsWith('t:'))) {
      if (typeof translate(text) !== 'string') complaints.push(`${file} lacks "${text.slice(2)}"`);
    }
    const name = String(schema.name).startsWith('t:') ? translate(schema.name) : schema.name;
    if (name?.length >= LONGEST_NAME) complaints.push(`${file}: name must have under ${LONGEST_NAME} characters`);
  }
  return complaints;
}

function schemaLocales(extensionFolder) {
  const folder = path.join(extensionFolder, 'locales');
  return fs.existsSync(folder) ? fs.readdirSync(folder).filter((name) => name.endsWith('.schema.json')) : [];
}

function texts(value) {
  if (typeof value === 'string') return [value];
  return value && typeof value === 'object' ? Object.values(value).flatMap(texts) : [];
}

let validator;

function settingsValidator() {
  if (validator) return validator;
  const require = createRequire(import.meta.url);
  const themeCheck = createRequire(require.resolve('@shopify/theme-check-node'));
  const updater = path.dirname(themeCheck.resolve('@shopify/theme-check-docs-updater/package.json'));
  const read = (name) => JSON.parse(fs.readFileSync(path.join(updater, 'data', name), 'utf8'));
  const ajv = new Ajv({ strict: false, allErrors: true, validateFormats: false, logger: false });
  for (const name of ['setting.json', 'default_setting_values.json']) {
    ajv.addSchema({ ...read(name), $id: `https://theme.invalid/${name}` });
  }
  validator = ajv.compile({ ...read('settings.json'), $id: 'https://theme.invalid/settings.json' });
  return validator;
}
