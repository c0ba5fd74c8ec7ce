/** The configuration as a whole, for what has no page of its own: every setting, its history, and the way back. */
import { z } from 'zod';
import { difference, generation } from '../../control/shapes.ts';
import { operation } from './operation.ts';
import { configChange, configProblem, count, text, wholeNumber, word } from './shapes.ts';

const jsonValue = z.unknown().refine((value) => value !== undefined, 'Give a value');
const generationNumber = wholeNumber.pipe(z.number().int().min(1));

export const CONFIG_OPERATIONS = {
  'config.show': operation('GET', '/config', {
    summary: { ja: '設定（既定値込み、秘密は伏せる）', en: 'Settings, defaults filled in, secrets hidden' },
    access: 'config.read',
    query: z.strictObject({ path: word.exactOptional() }),
    response: z.object({ file: z.string(), generation: count, value: z.unknown().optional() }),
  }),
  'config.set': operation('PUT', '/config', {
    summary: { ja: '設定を 1 つ変える', en: 'Change one setting' },
    access: 'config.change',
    deadlineMs: 70_000,
    body: z.strictObject({ path: word, value: jsonValue }),
    response: configChange,
  }),
  'config.unset': operation('DELETE', '/config', {
    summary: { ja: '設定を既定値に戻す', en: 'Back to the default of one setting' },
    access: 'config.change',
    deadlineMs: 70_000,
    query: z.strictObject({ path: word }),
    response: configChange,
  }),
  'config.check': operation('POST', '/config/check', {
    summary: { ja: '設定を検査する（保存しない）', en: 'Check settings without saving them' },
    access: 'config.read',
    change: false,
    bodyOctets: 1024 * 1024,
    body: z.strictObject({ candidate: jsonValue }),
    response: z.object({ ok: z.boolean(), problems: z.array(configProblem) }),
  }),
  'config.reload': operation('POST', '/config/reload', {
    summary: { ja: '設定ファイルを読み直す', en: 'Read the file again' },
    access: 'config.change',
    deadlineMs: 70_000,
    body: z.strictObject({}),
    response: configChange,
  }),
  'config.generations': operation('GET', '/config/generations', {
    summary: { ja: '設定変更の履歴', en: 'Every accepted change' },
    access: 'config.read',
    response: z.object({ current: count, generations: z.array(generation) }),
  }),
  'config.diff': operation('GET', '/config/diff', {
    summary: { ja: '2 つの世代の違い', en: 'What two generations differ in' },
    access: 'config.read',
    query: z.strictObject({ from: generationNumber, to: generationNumber }),
    response: z.object({ differences: z.array(difference) }),
  }),
  'config.rollback': operation('POST', '/config/rollback', {
    summary: { ja: '以前の世代に戻す', en: 'Back to an earlier generation' },
    access: 'config.change',
    deadlineMs: 70_000,
    body: z.strictObject({ generation: z.number().int().min(1) }),
    response: configChange,
  }),
  'config.reference': operation('GET', '/config/reference', {
    summary: { ja: 'すべての設定項目の説明', en: 'Every setting: what it means, its kind and default' },
    access: 'config.read',
    response: z.object({
      keys: z.array(
        z.object({
          path: z.string(),
          type: z.string(),
          default: z.unknown().optional(),
          values: z.array(z.string()).optional(),
          text,
        }),
      ),
    }),
  }),
} as const;
