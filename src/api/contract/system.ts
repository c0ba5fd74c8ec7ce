/**
 * The box besides mail: its jobs, what leaves it, what it keeps about people, its backup. What concerns the
 * machine itself (network, time, power, disks, updates) is answered by the host process and stands in machine.ts.
 */
import { z } from 'zod';
import { CERTIFICATE_USES } from './certificates.ts';
import { operation } from './operation.ts';
import { configChange, count, mailAddress, text, time } from './shapes.ts';

export const job = z.object({
  name: z.string(),
  title: text,
  /** As in crontab(5). */
  schedule: z.string(),
  lastStartedAt: time.optional(),
  lastEndedAt: time.optional(),
  state: z.enum(['never', 'running', 'ok', 'failed']),
  detail: z.string().optional(),
  nextAt: time.optional(),
});

export const SYSTEM_OPERATIONS = {
  'jobs.list': operation('GET', '/jobs', {
    summary: { ja: '定期作業', en: 'Jobs by the clock' },
    access: 'system.read',
    response: z.object({ jobs: z.array(job) }),
  }),
  'jobs.run': operation('POST', '/jobs/{name}/run', {
    summary: { ja: '定期作業を今すぐ実行する', en: 'Run a job now' },
    access: 'system.change',
    deadlineMs: 305_000,
    params: z.strictObject({ name: z.string().regex(/^[a-z][a-z-]{0,63}$/, 'Give the name of a job') }),
    response: job,
  }),
  'outward.list': operation('GET', '/outward', {
    summary: { ja: '本機の外へ出るもの', en: 'What leaves the box besides mail, and its switches' },
    access: 'config.read',
    response: z.object({
      items: z.array(
        z.object({
          name: z.string(),
          title: text,
          /** What is told, and to whom. */
          text,
          to: z.array(z.string()),
          on: z.boolean(),
          /** The setting that switches it; absent: it cannot be switched here. */
          setting: z.string().optional(),
        }),
      ),
    }),
  }),
  'privacy.show': operation('GET', '/privacy', {
    summary: { ja: 'プライバシー: 何をいつまで残すか', en: 'Privacy: what is kept, and for how long' },
    access: 'config.read',
    response: z.object({
      historyDays: count,
      quarantineDays: count,
      auditDays: count,
      subjects: z.boolean(),
      /** The whole truth, a line each. */
      kept: z.array(z.object({ what: text, days: count.optional(), setting: z.string().optional() })),
    }),
  }),
  'privacy.update': operation('PATCH', '/privacy', {
    summary: { ja: '保存期間を変える', en: 'Change how long things are kept' },
    access: 'config.change',
    body: z.strictObject({
      historyDays: z.number().int().min(1).max(3_650).exactOptional(),
      quarantineDays: z.number().int().min(1).max(3_650).exactOptional(),
      subjects: z.boolean().exactOptional(),
    }),
    response: configChange,
  }),
  'privacy.export': operation('POST', '/privacy/export', {
    summary: { ja: '個人のデータを書き出す', en: 'Everything kept about one address, as JSON lines' },
    access: 'users.manage',
    confirm: true,
    content: true,
    deadlineMs: 120_000,
    body: z.strictObject({ address: mailAddress }),
    media: 'application/x-ndjson',
    response: z.string(),
  }),
  'privacy.forget': operation('POST', '/privacy/forget', {
    summary: { ja: '個人のデータを消す', en: 'Forget one address in the history' },
    access: 'users.manage',
    confirm: true,
    deadlineMs: 120_000,
    /** `typed`: the address again, as a person's word that it is meant. Mail that still waits is not touched. */
    body: z.strictObject({
      address: mailAddress,
      typed: z.string().max(320),
      /** Quarantined mail that is his alone goes too (for ten minutes it can be brought back). */
      quarantine: z.boolean().default(false),
    }),
    /** `waiting`: the box still has the message, its history was left; `deleted`: of the quarantine; `samples`: of reports. */
    response: z.object({ messages: count, waiting: count, deleted: count, samples: count, pseudonym: z.string() }),
  }),
  'backup.create': operation('POST', '/backup', {
    summary: { ja: '設定をバックアップする', en: 'Settings, users and keys as one encrypted file' },
    access: 'backup',
    confirm: true,
    deadlineMs: 60_000,
    body: z.strictObject({ passphrase: z.string().min(12).max(500) }),
    media: 'application/octet-stream',
    response: z.string(),
  }),
  'backup.inspect': operation('POST', '/backup/inspect', {
    summary: { ja: 'バックアップの中身を見る', en: 'What is in a backup, without restoring it' },
    access: 'backup',
    change: false,
    bodyOctets: 8 * 1024 * 1024,
    /** `file`: the backup in base64. */
    body: z.strictObject({ passphrase: z.string().min(1).max(500), file: z.string().min(1).max(8_000_000) }),
    response: z.object({
      madeAt: time,
      version: z.string(),
      hostname: z.string(),
      parts: z.array(z.string()),
      /** `left`: lists of recipients that were too large for it. */
      holds: z.object({
        certificates: z.array(z.enum(CERTIFICATE_USES)),
        authority: z.boolean(),
        acme: z.string().optional(),
        smarthostPassword: z.boolean(),
        lists: z.array(z.object({ domain: z.string(), file: z.string() })),
        left: z.array(z.string()),
      }),
    }),
  }),
  'backup.restore': operation('POST', '/backup/restore', {
    summary: { ja: 'バックアップから復元する', en: 'Restore a backup' },
    access: 'backup',
    confirm: true,
    deadlineMs: 120_000,
    bodyOctets: 8 * 1024 * 1024,
    body: z.strictObject({
      passphrase: z.string().min(1).max(500),
      file: z.string().min(1).max(8_000_000),
      parts: z.array(z.enum(['config', 'users', 'certificates'])).min(1),
    }),
    /** `expired`: whose certificate has ended since the backup was made, and was left out. */
    response: configChange.extend({ restored: z.array(z.string()), expired: z.array(z.enum(CERTIFICATE_USES)) }),
  }),
  'metrics.text': operation('GET', '/metrics', {
    summary: { ja: 'Prometheus 形式の指標', en: 'Metrics for Prometheus' },
    access: 'status.read',
    media: 'text/plain',
    response: z.string(),
  }),
  'log.level': operation('PUT', '/log-level', {
    summary: { ja: 'ログの細かさ（次の起動まで）', en: 'How much the gateway logs, until its next start' },
    access: 'system.change',
    /** Without a level: only tells. */
    body: z.strictObject({ level: z.enum(['debug', 'info', 'warn', 'error']).exactOptional() }),
    response: z.object({ level: z.enum(['debug', 'info', 'warn', 'error']) }),
  }),
} as const;
