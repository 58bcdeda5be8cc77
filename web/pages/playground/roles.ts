// The four roles of a token, and what the page lets each of them do.
import type { Capabilities } from './opentok.ts';

export const ROLES = ['moderator', 'publisher', 'subscriber', 'publisheronly'] as const;
export type Role = (typeof ROLES)[number];

export const ROLE_WORDS: Readonly<Record<Role, { title: string; does: string }>> = {
  moderator: { title: 'Moderator', does: 'Talks, watches and can remove people' },
  publisher: { title: 'Publisher', does: 'Talks and watches' },
  subscriber: { title: 'Subscriber', does: 'Watches and chats' },
  publisheronly: { title: 'Publisher only', does: 'Talks, sees nobody' },
};

export function isRole(text: unknown): text is Role {
  return ROLES.some((role) => role === text);
}

/** The role behind a session's capabilities. */
export function roleOf(capabilities: Capabilities): Role {
  if (capabilities.forceDisconnect === 1) return 'moderator';
  if (capabilities.subscribe !== 1) return 'publisheronly';
  return capabilities.publish === 1 ? 'publisher' : 'subscriber';
}

export function mayPublish(role: Role): boolean {
  return role !== 'subscriber';
}

export function maySubscribe(role: Role): boolean {
  return role !== 'publisheronly';
}

export function maySignal(role: Role): boolean {
  return role !== 'publisheronly';
}

export function mayRemove(role: Role): boolean {
  return role === 'moderator';
}
