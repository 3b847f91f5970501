import { expect, test } from 'vitest';
import { digestOf } from '../../../../src/oci/digest.ts';
import type { ProgressEvent } from '../../../../src/progress.ts';
import { ArrivingLayers } from '../../../../src/verbs/save/sources/arriving-layers.ts';

const layer = (text: string) => {
  const digest = digestOf(Buffer.from(text));
  return { diffId: digest, digest, size: text.length, status: 'written' as const };
};
const [BASE, APP, TOOLS] = [layer('base'), layer('app'), layer('tools')];

function recorded() {
  const events: ProgressEvent[] = [];
  const arriving = new ArrivingLayers((event) => events.push(event));
  const told = (): (string | number | null)[] =>
    events.map((event) => {
      if (event.kind === 'start') return event.layers;
      return event.kind === 'layer'
        ? `${event.digest === BASE.digest ? 'base' : 'own'} ${event.status}`
        : event.kind;
    });
  return { arriving, told };
}

test('a layer that an image has twice, or that comes twice, counts once', () => {
  const { arriving, told } = recorded();
  arriving.begin([[BASE.diffId, BASE.diffId, APP.diffId]]);
  for (const one of [BASE, BASE, APP]) arriving.tell(one);
  arriving.settle([BASE, BASE, APP]);
  expect(told()).toEqual([2, 'base written', 'own written']);
});

test('a layer that comes once for two images counts in both', () => {
  const { arriving, told } = recorded();
  arriving.begin([
    [BASE.diffId, APP.diffId],
    [BASE.diffId, TOOLS.diffId],
  ]);
  for (const one of [BASE, APP, TOOLS]) arriving.tell(one);
  arriving.settle([BASE, APP]);
  arriving.settle([BASE, TOOLS]);
  expect(told()).toEqual([4, 'base written', 'own written', 'own written', 'base reused']);
});

test('one image of which nothing is known makes the number unknown', () => {
  const { arriving, told } = recorded();
  arriving.begin([[BASE.diffId], undefined]);
  for (const one of [BASE, APP]) arriving.tell(one);
  arriving.settle([BASE, APP]);
  expect(told()).toEqual([null, 'base written', 'own written']);
});

test('a layer that was not expected takes the number back, and is reported', () => {
  const { arriving, told } = recorded();
  arriving.begin([[BASE.diffId]]);
  for (const one of [APP, BASE, TOOLS]) arriving.tell(one);
  expect(told()).toEqual([1, null, 'own written', 'base written', 'own written']);
});
