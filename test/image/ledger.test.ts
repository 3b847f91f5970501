import { expect, test } from 'vitest';
import type { Layer } from '../../src/image/layer.ts';
import { Ledger } from '../../src/image/ledger.ts';
import { noteProven } from '../../src/image/proven.ts';
import { digestOf } from '../../src/oci/digest.ts';
import { describeBytes } from '../../src/testing/sample-images.ts';

const pair = (blob: string, layer: string): Layer => ({
  blob: describeBytes(Buffer.from(`blob ${blob}`)),
  diffId: digestOf(Buffer.from(`ledger ${layer}`)),
});

test('a pair is as good as the best that is known of it', () => {
  const ledger = new Ledger();
  const layer = pair('standing', 'standing');
  expect(ledger.standing(layer)).toBeUndefined();
  ledger.claim([layer]);
  expect(ledger.standing(layer)).toBe('claimed');
  ledger.state([layer]);
  ledger.claim([layer]);
  expect(ledger.standing(layer)).toBe('stated');
  noteProven(layer, 1, 'none');
  expect(ledger.standing(layer)).toBe('proven');
});

test('what is stated in one ledger is nothing in another, what is proven is proven in all', () => {
  const [stated, proven] = [pair('here', 'here'), pair('everywhere', 'everywhere')];
  new Ledger().state([stated]);
  noteProven(proven, 1, 'none');
  expect(new Ledger().standing(stated)).toBeUndefined();
  expect(new Ledger().standing(proven)).toBe('proven');
});

test('a pair says nothing of its halves in other pairs', () => {
  const ledger = new Ledger();
  ledger.state([pair('a', 'a'), pair('b', 'b')]);
  expect(ledger.standing(pair('a', 'b'))).toBeUndefined();
});

test('a layer has all blobs that are said to hold it, the proven ones first', () => {
  const ledger = new Ledger();
  const [claimed, stated, proven] = ['claimed', 'stated', 'proven'].map((blob) =>
    pair(blob, 'of several blobs'),
  );
  if (claimed === undefined || stated === undefined || proven === undefined) throw new Error('no pair');
  ledger.claim([claimed, proven, claimed]);
  ledger.state([stated]);
  noteProven(proven, 1, 'none');
  expect(ledger.ofLayer(claimed.diffId)).toEqual([proven, claimed, stated]);
  expect(ledger.ofLayer(claimed.blob.digest)).toEqual([]);
});

test('a digest names the layers of its blob, and the blobs of its layer', () => {
  const ledger = new Ledger();
  const [one, other] = [pair('c', 'c'), pair('c', 'd')];
  ledger.claim([one, other]);
  expect(ledger.named(one.blob.digest)).toEqual([one, other]);
  expect(ledger.named(one.diffId)).toEqual([one]);
});
