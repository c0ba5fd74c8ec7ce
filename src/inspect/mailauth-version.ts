/** Which mailauth looks at signatures here, as the worker tells it in its first frame. */
import mailauth from 'mailauth/package.json' with { type: 'json' };

export const MAILAUTH_VERSION = `mailauth ${mailauth.version}`;
