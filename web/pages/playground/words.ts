// What the page says when something ended or failed: always the cause, and what to do about it.
import type { OpenTokError } from './opentok.ts';

export interface Words {
  readonly title: string;
  readonly text: string;
}

/** An ending has a few words more, for where there is little room. */
export interface EndingWords extends Words {
  readonly short: string;
}

const ENDINGS: Readonly<Record<string, EndingWords>> = {
  clientDisconnected: { short: 'Left', title: 'You left the session', text: 'Your camera and microphone are off.' },
  forceDisconnected: {
    short: 'Removed by a moderator',
    title: 'You were removed by a moderator',
    text: 'Nobody hears or sees you any more. You can join again.',
  },
  networkDisconnected: {
    short: 'Connection lost',
    title: 'The connection was lost',
    text: 'It could not be restored in time. Check your network, then join again.',
  },
};

/** Why the own connection ended. */
export function endingWords(reason: string): EndingWords {
  return ENDINGS[reason] ?? { short: 'Ended', title: 'The session ended', text: `The server gave the reason “${reason}”.` };
}

const DEPARTURES: Readonly<Record<string, string>> = {
  clientDisconnected: 'left',
  forceDisconnected: 'was removed by a moderator',
  networkDisconnected: 'lost the connection',
};

/** What happened to somebody else, to stand behind a name. */
export function departureWords(reason: string): string {
  return DEPARTURES[reason] ?? `left (${reason})`;
}

/** What the page was doing when an error came. */
export type Attempt = 'connect' | 'publish' | 'subscribe' | 'signal' | 'remove';

const TITLES: Readonly<Record<Attempt, string>> = {
  connect: 'Could not join',
  publish: 'Camera and microphone are not on',
  subscribe: 'A stream could not be shown',
  signal: 'The message was not sent',
  remove: 'The person was not removed',
};

const CURES: Readonly<Record<string, string>> = {
  OT_AUTHENTICATION_ERROR: 'Ask for a fresh token for this session and this project.',
  OT_INVALID_SESSION_ID: 'Check the session id: the server does not know it.',
  OT_CONNECT_FAILED: 'Is the server running, and does the network let WebSockets through? Then join again.',
  OT_NOT_CONNECTED: 'Join the session first.',
  OT_CONNECTION_LIMIT_EXCEEDED: 'The session is full: wait until somebody leaves.',
  OT_NO_DEVICES_FOUND: 'No camera or microphone was found. You are here as a viewer; plug one in and press the camera button.',
  OT_HARDWARE_UNAVAILABLE: 'Another program is using the camera or microphone. Close it, then press the camera button.',
  OT_NOT_SUPPORTED: 'Browsers share a camera with https:// and localhost pages only. Open this page at such an address (tertulia dev --lan gives one).',
  OT_ICE_WORKFLOW_FAILED: 'No path for media: does a firewall block UDP to the server?',
  OT_CREATE_PEER_CONNECTION_FAILED: 'No path for media: does a firewall block UDP to the server?',
  OT_TIMEOUT: 'No path for media was found in time: does a firewall block UDP to the server?',
  OT_PERMISSION_DENIED: 'The role in your token does not allow it.',
  OT_NOT_FOUND: 'That person has left meanwhile.',
  OT_RATE_LIMIT_EXCEEDED: 'Too many at once: wait a second, then send it again.',
};

/** The cause in the error's own words and the cure in ours. */
export function problemWords(attempt: Attempt, error: OpenTokError): Words {
  if (error.name === 'OT_USER_MEDIA_ACCESS_DENIED')
    return {
      title: 'You joined as a viewer',
      text: 'The browser was not allowed to use camera and microphone. Allow both at the icon in front of the address, then press the camera button.',
    };
  const cause = error.message || error.name;
  const cure = CURES[error.name];
  return { title: TITLES[attempt], text: cure ? `${withFullStop(cause)} ${cure}` : withFullStop(cause) };
}

function withFullStop(sentence: string): string {
  return /[.!?]$/.test(sentence) ? sentence : `${sentence}.`;
}
