import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  cutColumns,
  displayWidth,
  escapeBlockForTerminal,
  escapeForTerminal,
  jsonForTerminal,
  padColumns,
} from '../../src/base/terminal.ts';

test('escapeForTerminal() shows escape sequences instead of sending them', () => {
  assert.equal(escapeForTerminal('a\u001b]0;owned\u0007b'), 'a\\x1b]0;owned\\x07b');
  assert.equal(escapeForTerminal('\u009b31m'), '\\x9b31m');
  assert.equal(escapeForTerminal('line\nnext\tend'), 'line\\x0anext\\x09end');
});

test('escapeForTerminal() shows bidirectional controls, invisible characters and lone surrogates', () => {
  assert.equal(escapeForTerminal('invoice\u202efdp.exe'), 'invoice\\u{202e}fdp.exe');
  assert.equal(escapeForTerminal('a\u2066b\u200bc\ufeff'), 'a\\u{2066}b\\u{200b}c\\u{feff}');
  assert.equal(escapeForTerminal('\ud800'), '\\u{d800}');
  assert.equal(escapeForTerminal('\u{e0041}'), '\\u{e0041}');
});

test('escapeForTerminal() leaves Japanese, Arabic and emoji as they are', () => {
  for (const text of ['会議のお知らせ', 'ﾊﾝｶｸ', 'مرحبا', '👩‍👩‍👧', '𠮷野家'])
    assert.equal(escapeForTerminal(text), text);
});

test('escapeBlockForTerminal() keeps line ends and nothing else that acts', () => {
  assert.equal(escapeBlockForTerminal('a\r\nb\tc\u001b'), 'a\nb    c\\x1b');
});

test('jsonForTerminal() gives the same value with nothing in it that acts', () => {
  const value = { text: 'a\u001b\u202e\u0085\u{e0041}é会', list: [1, null] };
  const text = jsonForTerminal(value);
  assert.deepEqual(JSON.parse(text), value);
  assert.equal(/[\u001b\u0085\u202e]/.test(text), false);
  assert.match(text, /\\udb40\\udc41/);
});

test('displayWidth() counts wide characters as two and combining ones as none', () => {
  assert.equal(displayWidth('abc'), 3);
  assert.equal(displayWidth('会議'), 4);
  assert.equal(displayWidth('ｶﾞ'), 2);
  assert.equal(displayWidth('か\u3099'), 2);
  assert.equal(displayWidth('e\u0301'), 1);
  assert.equal(displayWidth('ＡＢ'), 4);
  assert.equal(displayWidth('𠮷'), 2);
});

test('padColumns() and cutColumns() count columns, not characters', () => {
  assert.equal(padColumns('会', 4), '会  ');
  assert.equal(padColumns('7', 3, 'right'), '  7');
  assert.equal(cutColumns('会議室の予約', 7), '会議室…');
  assert.equal(displayWidth(cutColumns('会議室の予約', 6)), 5);
  assert.equal(cutColumns('short', 5), 'short');
});
