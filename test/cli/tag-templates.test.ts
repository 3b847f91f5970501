import { describe, expect, test } from 'vitest';
import { expandName, expandVariables, hasTag, versionTags } from '../../src/cli/tag-templates.ts';

function thrownBy(run: () => unknown): unknown {
  try {
    return run();
  } catch (error) {
    return error;
  }
}

describe('variables in a reference', () => {
  const env = { CI_REGISTRY_IMAGE: 'r.example/g/p', CI_COMMIT_SHA: 'abc', CI_JOB_TOKEN: 'planted-secret' };

  test('are filled in', () => {
    expect(expandVariables('$CI_REGISTRY_IMAGE/api:v-${CI_COMMIT_SHA}', env)).toBe('r.example/g/p/api:v-abc');
  });

  test.each([
    ['$CI_PIPELINE_ID', 'is not set'],
    ['$CI_JOB_TOKEN', 'cannot stand in a reference'],
    ['$HOME', 'cannot stand in a reference'],
  ])('%s is refused', (name, why) => {
    const error = thrownBy(() => expandVariables(`r.example/app:${name}`, env));
    expect(error).toMatchObject({ code: 'USAGE', message: expect.stringContaining(why) });
    expect(String(error)).not.toContain('planted');
  });
});

test.each([
  ['v1.2.3', ['1.2.3', '1.2', '1']],
  ['1.2.3', ['1.2.3', '1.2', '1']],
  ['v10.0.0', ['10.0.0', '10.0', '10']],
  ['v0.2.3', ['0.2.3', '0.2']],
  ['v1.2.3-rc.1', ['1.2.3-rc.1']],
  ['v1.2.3+linux', ['1.2.3_linux']],
])('the version %s has tags', (tag, expected) => {
  expect(versionTags(tag)).toEqual(expected);
});

test.each([undefined, '', 'release', 'v1.2', 'v01.2.3', 'v1.2.3 '])('%j is no version', (tag) => {
  expect(thrownBy(() => versionTags(tag))).toMatchObject({ code: 'USAGE' });
});

test.each([
  ['r.example/app', false],
  ['r.example:5000/app', false],
  ['r.example:5000/app:1', true],
  ['r.example/{name}:{tag}', true],
])('whether %s has a tag: %j', (reference, expected) => {
  expect(hasTag(reference)).toBe(expected);
});

test.each([
  ['group/api:1.0', 'r.example/x/group/api:1.0'],
  ['temp:latest', 'r.example/x/temp:latest'],
  ['localhost:5000/group/api:2', 'r.example/x/group/api:2'],
])('the name %s fills in a template', (name, expected) => {
  expect(expandName('r.example/x/{name}:{tag}', name)).toBe(expected);
});
