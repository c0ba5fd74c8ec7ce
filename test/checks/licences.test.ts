import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkLicences, isAcceptable } from '../../scripts/checks/licences.ts';
import { plantTree } from './tree.ts';

interface Planted {
  range?: string;
  lock?: Record<string, unknown>;
  installed?: Record<string, unknown>;
}

function problemsOf(planted: Planted): string[] {
  const lock = {
    packages: {
      '': {},
      'node_modules/good': { version: '1.2.3', integrity: 'sha512-x', license: 'MIT', ...planted.lock },
    },
  };
  using tree = plantTree({
    'package.json': JSON.stringify({ dependencies: { good: planted.range ?? '1.2.3' } }),
    'package-lock.json': JSON.stringify(lock),
    ...(planted.installed === undefined ? {} : { 'node_modules/good/package.json': JSON.stringify(planted.installed) }),
  });
  return checkLicences(tree.root).map((one) => one.problem);
}

test('checkLicences() minds nothing in a tree that keeps the rules', () => {
  assert.deepEqual(problemsOf({}), []);
});

test('checkLicences() finds a licence that is not on the list', () => {
  assert.deepEqual(problemsOf({ lock: { license: 'GPL-3.0-only' } }), [
    '"good" has the licence "GPL-3.0-only", which is not on the list',
  ]);
});

test('checkLicences() finds a package that states no licence', () => {
  assert.deepEqual(problemsOf({ lock: { license: undefined } }), ['"good" states no licence']);
});

test('checkLicences() reads the licence of an installed package whose lock entry is silent', () => {
  const lock = { license: undefined };
  assert.deepEqual(problemsOf({ lock, installed: { license: { type: 'ISC' } } }), []);
  assert.match(problemsOf({ lock, installed: { licenses: [{ type: 'EUPL-1.2' }] } })[0] ?? '', /EUPL-1.2/);
});

test('checkLicences() finds a version that is not pinned', () => {
  const problems = problemsOf({ range: '^1.2.3' });
  assert.match(problems[0] ?? '', /"good" is not pinned: "\^1.2.3"/);
});

test('checkLicences() finds a lockfile that disagrees, lacks a hash, or names a registry', () => {
  assert.match(problemsOf({ range: '1.2.4' })[0] ?? '', /disagree/);
  assert.match(problemsOf({ lock: { integrity: undefined } })[0] ?? '', /no integrity/);
  assert.match(problemsOf({ lock: { resolved: 'https://registry.example/good.tgz' } })[0] ?? '', /names a registry/);
});

test('isAcceptable() needs one good side of OR and both sides of AND', () => {
  assert.ok(isAcceptable('(MIT OR EUPL-1.1+)'));
  assert.ok(isAcceptable('MIT AND BSD-3-Clause'));
  assert.ok(!isAcceptable('MIT AND GPL-2.0-only'));
  assert.ok(!isAcceptable('GPL-2.0-only OR EUPL-1.2'));
});
