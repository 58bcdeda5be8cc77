/**
 * The members of `OT` as names of their own, for `import { initSession }` and `import * as OT`. What a member does is
 * written here, for this is what editors show; `types/opentok.ts` has the types.
 */
import { OT } from './opentok.ts';

export type * from './types/index.ts';

// Each is bound: it works without `OT` before it.

/** Log level: nothing. */
export const NONE = OT.NONE;
/** Log level: errors. The default. */
export const ERROR = OT.ERROR;
/** Log level: warnings and above. */
export const WARN = OT.WARN;
/** Log level: what happens, and above. */
export const INFO = OT.INFO;
/** Log level: what `OT.log` prints, and above. */
export const LOG = OT.LOG;
/** Log level: everything. */
export const DEBUG = OT.DEBUG;
/** What `checkSystemRequirements` returns where this browser can take part in sessions. */
export const HAS_REQUIREMENTS = OT.HAS_REQUIREMENTS;
/** What `checkSystemRequirements` returns where it cannot. */
export const NOT_HAS_REQUIREMENTS = OT.NOT_HAS_REQUIREMENTS;

/** Says where the server is: `https://video.example.org`. Call it before anything connects. Tertulia's own. */
export const setServerUrl = OT.setServerUrl;
/** Makes a Session of API key and session id; no network traffic. The same object while it is not disconnected. */
export const initSession = OT.initSession;
/** Makes a Publisher, whose preview asks for camera and microphone at once. The handler hears when media runs. */
export const initPublisher = OT.initPublisher;

/** Adds a handler for `exception`. */
export const on = OT.on;
/** As `on`; the handler is taken off before its first call. */
export const once = OT.once;
/** Takes handlers off. */
export const off = OT.off;
/** Dispatches an event of the application's own, in a later task. */
export const trigger = OT.trigger;
/** As `trigger`, with an object that has a `type`. */
export const dispatchEvent = OT.dispatchEvent;
/** @deprecated Use `on`. */
export const addEventListener = OT.addEventListener;
/** @deprecated Use `off`. */
export const removeEventListener = OT.removeEventListener;

/** 1 where this browser can take part in sessions, else 0. */
export const checkSystemRequirements = OT.checkSystemRequirements;
/** Tells the user, over the whole page, that another browser is needed. */
export const upgradeSystemRequirements = OT.upgradeSystemRequirements;
/** Cameras and microphones. Labels are empty until access was granted. */
export const getDevices = OT.getDevices;
/** Loudspeakers and headphones. */
export const getAudioOutputDevices = OT.getAudioOutputDevices;
/** Where the sound of this page comes out; members are null where the browser does not tell. */
export const getActiveAudioOutputDevice = OT.getActiveAudioOutputDevice;
/** Lets the sound of every session in this page come out there. */
export const setAudioOutputDevice = OT.setAudioOutputDevice;
/** Camera and microphone by the capture options of a Publisher. Rejects as `initPublisher` does. */
export const getUserMedia = OT.getUserMedia;
/** VP8, VP9 and H264, as far as this browser encodes and decodes them. */
export const getSupportedCodecs = OT.getSupportedCodecs;
/** Whether the screen can be shared. */
export const checkScreenSharingCapability = OT.checkScreenSharingCapability;
/** @deprecated Does nothing: no extension is needed. */
export const registerScreenSharingExtension = OT.registerScreenSharingExtension;
/** Whether a media processor can work on frames: of video, unless told otherwise. */
export const hasMediaProcessorSupport = OT.hasMediaProcessorSupport;
/** Whether this browser can encrypt what it sends before it leaves the page. */
export const hasEndToEndEncryptionSupport = OT.hasEndToEndEncryptionSupport;
/** Says where the worker that encrypts is, for pages that allow none from a blob; same origin only. Tertulia's own. */
export const setEncryptionWorkerUrl = OT.setEncryptionWorkerUrl;
/** Sends everything that is not media through a proxy; call it before anything else. */
export const setProxyUrl = OT.setProxyUrl;
/** Lets all sound start that the browser's autoplay rule held back; call it inside a user's gesture. */
export const unblockAudio = OT.unblockAudio;
/** Prints at this level and below. */
export const setLogLevel = OT.setLogLevel;
/** Prints when the level is LOG or DEBUG. */
export const log = OT.log;
/** Tells the server's operator that something went wrong; yields the id to refer to. */
export const reportIssue = OT.reportIssue;

/** Every session of this page. */
export const sessions = OT.sessions;
/** Every publisher of this page. */
export const publishers = OT.publishers;
/** Every subscriber of this page. */
export const subscribers = OT.subscribers;
/** What this build is; `version` is its version. */
export const properties = OT.properties;
/** Gives an object the methods of an emitter: `$.eventing(object)`. Some wrappers use it. */
export const $ = OT.$;
/** What some applications report to; goes nowhere. */
export const analytics = OT.analytics;

const constructor = OT.Error;
/** @deprecated Errors are ordinary `Error` objects. */
export { constructor as Error };
