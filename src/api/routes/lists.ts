/**
 * The allow and the block list: entries of the gateway's settings (policy.lists), which spells them in one way and refuses
 * what is none. One change after another, so that of two people who add at the same moment neither is lost.
 */
import { createHash } from 'node:crypto';
import type { ControlClient } from '../../control/client.ts';
import { listKind, parseListMatch } from '../../mail/sender-list.ts';
import type { Answer } from '../contract/client.ts';
import type { Some } from '../server/call.ts';
import { ApiProblem } from '../server/problems.ts';
import { type Change, settingAt } from './settings.ts';

type Entry = Answer<'lists.show'>['allow'][number];
type Which = 'allow' | 'block';

interface Stored {
  match: string;
  note: string;
}

export function listHandlers(): Some<'lists.show' | 'lists.add' | 'lists.remove'> {
  let last: Promise<unknown> = Promise.resolve();
  const inTurn = (work: () => Promise<Change>): Promise<Change> => {
    const mine = last.then(work, work);
    last = mine;
    return mine;
  };
  return {
    'lists.show': async ({ gateway }) => {
      const { allow, block } = await settingAt<Record<Which, Stored[]>>(gateway, 'policy.lists');
      return { allow: allow.map(entryOf), block: block.map(entryOf) };
    },
    'lists.add': ({ gateway, params, body, note }) =>
      inTurn(async () => {
        const before = await listAt(gateway, params.list);
        // what is no entry goes as it is: the gateway says why
        const match = parseListMatch(body.match) ?? body.match;
        note(match);
        const others = before.filter((entry) => entry.match !== match);
        return gateway.call('config.set', {
          path: `policy.lists.${params.list}`,
          value: [...others, { match, note: body.note }],
        });
      }),
    'lists.remove': ({ gateway, params, note }) =>
      inTurn(async () => {
        const before = await listAt(gateway, params.list);
        const gone = before.find((entry) => idOf(entry.match) === params.id);
        if (gone === undefined) throw new ApiProblem(404, 'NOT_FOUND');
        note(gone.match);
        const value = before.filter((entry) => entry !== gone);
        return gateway.call('config.set', { path: `policy.lists.${params.list}`, value });
      }),
  };
}

function listAt(gateway: ControlClient, list: Which): Promise<Stored[]> {
  return settingAt<Stored[]>(gateway, `policy.lists.${list}`);
}

function entryOf({ match, note }: Stored): Entry {
  return { id: idOf(match), match, kind: listKind(match), note };
}

/** Stands in a path; an entry has no other name than itself. */
function idOf(match: string): string {
  return createHash('sha256').update(match).digest('hex').slice(0, 24);
}
