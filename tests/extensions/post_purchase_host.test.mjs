// @vitest-environment jsdom
import { createRemoteReceiver, createRemoteRoot } from '@remote-ui/core';
import { beforeEach, expect, test, vi } from 'vitest';
import { COMPONENTS, drawInto } from '../../extensions-dev/post-purchase-host/draw.js';

let host;
let receiver;
let root;

beforeEach(() => {
  document.body.innerHTML = '<main></main>';
  host = document.querySelector('main');
  receiver = createRemoteReceiver();
  root = createRemoteRoot(receiver.receive, { components: [...COMPONENTS] });
  drawInto(host, receiver);
});

test('a pressed button presses, and keeps its focus when its label changes', async () => {
  const onPress = vi.fn();
  const button = root.createComponent('Button', { onPress }, 'Pay');
  root.appendChild(root.createComponent('BlockStack', {}, [button]));
  root.mount();
  await receiver.flush();
  const element = host.querySelector('button');
  element.focus();
  button.removeChild(button.children[0]);
  button.appendChild('Pay now');
  await receiver.flush();
  element.click();

  expect(host.querySelector('button')).toBe(element);
  expect(element.textContent).toBe('Pay now');
  expect(document.activeElement).toBe(element);
  expect(onPress).toHaveBeenCalledTimes(1);
});

test('a loading button cannot be pressed and says what it waits for', async () => {
  root.appendChild(root.createComponent('Button', { loading: true, loadingLabel: 'Calculating' }, 'Pay'));
  root.mount();
  await receiver.flush();
  const element = host.querySelector('button');

  expect(element.disabled).toBe(true);
  expect(element.getAttribute('aria-label')).toBe('Calculating');
});

test('children stay in the order of the extension, below the title of their banner', async () => {
  const banner = root.createComponent('CalloutBanner', { title: 'For you' }, [
    root.createComponent('TextBlock', {}, 'one'),
    root.createComponent('TextBlock', {}, 'three'),
  ]);
  root.appendChild(banner);
  root.mount();
  await receiver.flush();
  banner.insertChildBefore(root.createComponent('TextBlock', {}, 'two'), banner.children[1]);
  await receiver.flush();
  banner.removeChild(banner.children[0]);
  await receiver.flush();

  expect([...host.querySelector('section').children].map((each) => each.textContent)).toEqual([
    'For you',
    'two',
    'three',
  ]);
});

test('text is text, whatever it looks like', async () => {
  root.appendChild(root.createComponent('TextBlock', {}, '<img src=x onerror=alert(1)>'));
  root.mount();
  await receiver.flush();

  expect(host.querySelector('img')).toBeNull();
  expect(host.textContent).toBe('<img src=x onerror=alert(1)>');
});

test('a component that Shopify does not have is refused', () => {
  expect(() => root.createComponent('Marquee')).toThrow('Unsupported component');
});
