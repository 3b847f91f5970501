import { describe, expect, test } from 'vitest';
import type { ExecutionConfig, ImageConfig } from '../../src/oci/config.ts';
import { configPlatform, parseConfig } from '../../src/oci/config.ts';
import { buildConfig } from '../../src/oci/manifest.ts';
import { describeBytes } from '../../src/testing/sample-images.ts';
import { fakeDigest, json, thrown } from './documents.ts';

const CONFIG = {
  architecture: 'amd64',
  os: 'linux',
  created: '2024-01-01T00:00:00Z',
  config: { Labels: { a: '1' }, Env: ['A=1'] },
  rootfs: { type: 'layers', diff_ids: [fakeDigest('d')] },
  history: [{ created_by: 'COPY a b' }, { created_by: 'CMD', empty_layer: true, comment: 'x' }],
};

test('a config reads as it is, with what is not known here', () => {
  expect(parseConfig(json(CONFIG), 'x')).toEqual(CONFIG);
});

test.each([
  ['null diff_ids', { rootfs: { type: 'layers', diff_ids: null } }],
  ['no diff_ids', { rootfs: { type: 'layers' } }],
])('a config with %s has no layers', (_, more) => {
  expect(parseConfig(json({ ...CONFIG, ...more }), 'x').rootfs.diff_ids).toEqual([]);
});

test.each(['created', 'config', 'history', 'variant', 'os.version'])(
  'a config with null %s has none',
  (key) => {
    expect(parseConfig(json({ ...CONFIG, [key]: null }), 'x')).toMatchObject({ [key]: undefined });
  },
);

test('a null step of the history is a step about which nothing is known', () => {
  const { history } = parseConfig(json({ ...CONFIG, history: [null, { created_by: 'x' }] }), 'x');
  expect(history).toEqual([{}, { created_by: 'x' }]);
});

test('a config with null labels has none', () => {
  expect(parseConfig(json({ ...CONFIG, config: { Labels: null } }), 'x').config?.Labels).toBeUndefined();
});

test.each([
  { os: undefined, architecture: undefined },
  { os: null, architecture: null },
  { os: '', architecture: '' },
])('a config with the platform %j states none', (more) => {
  expect(configPlatform(parseConfig(json({ ...CONFIG, ...more }), 'x'))).toEqual({
    os: '',
    architecture: '',
  });
});

test.each([
  [{}, { os: 'linux', architecture: 'amd64' }],
  [
    { architecture: 'arm', variant: 'v6' },
    { os: 'linux', architecture: 'arm', variant: 'v6' },
  ],
  [{ variant: '' }, { os: 'linux', architecture: 'amd64' }],
  [
    { os: 'windows', 'os.version': '10.0.1' },
    { os: 'windows', architecture: 'amd64', 'os.version': '10.0.1' },
  ],
])('the platform of a config with %j is %j', (more, platform) => {
  expect(configPlatform(parseConfig(json({ ...CONFIG, ...more }), 'x'))).toStrictEqual(platform);
});

describe('what Go reads as empty or absent', () => {
  test.each([
    ['an empty object in place of the history', { history: {} }, { history: undefined }],
    ['an empty text in place of labels', { config: { Labels: '' } }, { config: { Labels: undefined } }],
    ['a label that is null', { config: { Labels: { a: null } } }, { config: { Labels: { a: '' } } }],
    ['an empty text in place of a config', { config: '' }, { config: undefined }],
    ['an entry of the history without anything', { history: [{}] }, { history: [{}] }],
  ])('%s', (_, more, read) => {
    expect(parseConfig(json({ ...CONFIG, ...more }), 'x')).toMatchObject(read);
  });
});

describe('a key in other spelling, which docker reads in place of ours,', () => {
  const { config, rootfs, history } = CONFIG;
  test.each([
    ['of the config', { Config: config }],
    ['of the config, that is not read here', { Docker_Version: '1' }],
    ['of its layers', { RootFS: rootfs }],
    ['of its layers, by a long s', { rootfſ: rootfs }],
    ['of its platform', { Architecture: 'arm64' }],
    ['of its platform, where there is no other', { Variant: 'v7' }],
    ['of the list of layers', { rootfs: { ...rootfs, Diff_IDs: [] } }],
    ['of the labels', { config: { ...config, labels: { a: '2' } } }],
    ['of the command, where there is no other', { config: { ...config, cmd: ['/evil'] } }],
    ['of the command, by a Kelvin sign', { config: { ...config, NetworKDisabled: true } }],
    ['of a health check', { config: { ...config, Healthcheck: { Test: ['NONE'], test: ['CMD', 'a'] } } }],
    ['of the history', { history: [...history, { Empty_Layer: true }] }],
    ['that is not known here', { extra: 1, EXTRA: 2 }],
  ])('%s is refused', (_, more) => {
    const { message } = thrown('MALFORMED', () => parseConfig(json({ ...CONFIG, ...more }), 'x'));
    expect(message).toContain('a key in other spelling');
  });

  test('is none in labels, volumes or ports, whose keys docker takes as they are', () => {
    const own = { a: '1', A: '2', config: 'x' };
    const value = { ...CONFIG, config: { Labels: own, Volumes: { '/a': {}, '/A': {} } } };
    expect(parseConfig(json(value), 'x')).toEqual(value);
  });
});

describe('not a config', () => {
  test.each([
    ['no rootfs', { rootfs: undefined }, 'rootfs'],
    ['a null rootfs', { rootfs: null }, 'rootfs'],
    ['an upper-case diffID', { rootfs: { diff_ids: [fakeDigest('D')] } }, 'rootfs.diff_ids.0'],
    ['a diffID without algorithm', { rootfs: { diff_ids: ['d'.repeat(64)] } }, 'rootfs.diff_ids.0'],
    ['a null diffID', { rootfs: { diff_ids: [null] } }, 'rootfs.diff_ids.0'],
    ['diff_ids that are no list', { rootfs: { diff_ids: fakeDigest('d') } }, 'rootfs.diff_ids'],
    ['an architecture that is no text', { architecture: 64 }, 'architecture'],
    ['a label that is no text', { config: { Labels: { a: 1 } } }, 'config.Labels.a'],
    ['history that is no list', { history: { a: 1 } }, 'history'],
  ])('%s', (_, more, where) => {
    const error = thrown('MALFORMED', () => parseConfig(json({ ...CONFIG, ...more }), 'config x'));
    expect(error.message.startsWith(`config x: ${where}: `), error.message).toBe(true);
  });
});

describe('a full config', () => {
  const full = {
    architecture: 'arm',
    os: 'linux',
    variant: 'v7',
    'os.version': '10.0.1',
    'os.features': ['win32k'],
    created: '2024-01-01T00:00:00Z',
    author: 'a',
    config: {
      User: '1000:1000',
      ExposedPorts: { '80/tcp': {} },
      Env: ['A=1'],
      Entrypoint: ['/run'],
      Cmd: ['x'],
      Volumes: { '/data': {} },
      WorkingDir: '/app',
      Labels: { a: '1' },
      StopSignal: 'SIGTERM',
      ArgsEscaped: true,
      Healthcheck: {
        Test: ['CMD', 'a'],
        Interval: 1e9,
        Timeout: 2e9,
        StartPeriod: 3e9,
        StartInterval: 4e9,
        Retries: 5,
      },
      OnBuild: ['RUN x'],
      Shell: ['/bin/sh', '-c'],
      StopTimeout: 7,
    },
    rootfs: { type: 'layers', diff_ids: [fakeDigest('d')] },
    history: [
      {
        created: '2024-01-01T00:00:00Z',
        created_by: 'COPY',
        author: 'a',
        comment: 'c',
        empty_layer: true,
      },
    ],
    comment: 'c',
    docker_version: '28.5.2',
  } satisfies Required<ImageConfig> & { config: Required<ExecutionConfig> };

  test('is written, and read again', () => {
    const { bytes, descriptor } = buildConfig(full);
    expect(parseConfig(bytes, 'x')).toEqual(full);
    expect(descriptor).toEqual(describeBytes(bytes, 'application/vnd.oci.image.config.v1+json'));
  });

  test.each([...Object.keys(full.config), ...Object.keys(full.config.Healthcheck)])(
    'has no %s of another type, which docker refuses, too',
    (key) => {
      const wrong = key in full.config ? { [key]: [[1]] } : { Healthcheck: { [key]: [[1]] } };
      thrown('MALFORMED', () => parseConfig(json({ ...CONFIG, config: wrong }), 'x'));
    },
  );

  test.each([...Object.keys(full.config), 'Healthcheck'])('has no %s that is null', (key) => {
    expect(parseConfig(json({ ...CONFIG, config: { [key]: null } }), 'x').config).toEqual({
      [key]: undefined,
    });
  });

  test.each(['Entrypoint', 'Cmd', 'Shell'])('%s may be one text, as docker reads it', (key) => {
    const { config } = parseConfig(json({ ...CONFIG, config: { [key]: 'run it' } }), 'x');
    expect(config).toEqual({ [key]: ['run it'] });
  });

  test('a null among texts is an empty text, as docker reads it', () => {
    const { config } = parseConfig(json({ ...CONFIG, config: { Env: ['A=1', null] } }), 'x');
    expect(config?.Env).toEqual(['A=1', '']);
  });
});
