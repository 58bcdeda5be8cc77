// Drives one person's page for the browser tests: the application side, written as an OpenTok application would be.
// `person.log` keeps what the application saw, in order; tests read it and call the verbs below.
window.person = (() => {
  const era = document.documentElement.dataset.era;
  const person = { era, log: [], session: null, publisher: null, subscribers: {}, prevent: new Set(), errors: [] };
  const sessionEvents = ['sessionConnected', 'sessionDisconnected', 'sessionReconnecting', 'sessionReconnected',
    'connectionCreated', 'connectionDestroyed', 'streamCreated', 'streamDestroyed', 'streamPropertyChanged',
    'signal', 'signal:chat', 'signalReceived', 'muteForced'];
  const listen = (object, type, handler) =>
    era === 'v1' ? object.addEventListener(type, handler) : object.on(type, handler);

  window.addEventListener('error', (event) => person.errors.push(String(event.message)));
  window.addEventListener('unhandledrejection', (event) => person.errors.push(`rejected: ${event.reason}`));

  function note(source, event, expectedTarget) {
    const streams = event.streams || (event.stream ? [event.stream] : []);
    const connections = event.connections || (event.connection ? [event.connection] : []);
    person.log.push({
      at: performance.now(),
      source, type: event.type, reason: event.reason, cancelable: event.cancelable, data: event.data, active: event.active,
      rightTarget: event.target === expectedTarget,
      from: event.from ? event.from.connectionId : event.from,
      streams: streams.map((stream) => stream.streamId),
      connections: connections.map((connection) => connection.connectionId),
      preventedBefore: event.isDefaultPrevented ? event.isDefaultPrevented() : undefined,
      state: { connected: Boolean(person.session && person.session.connection), elements: document.querySelectorAll('.OT_root').length },
    });
    if (person.prevent.has(`${source}.${event.type}`)) event.preventDefault();
  }

  person.prepare = ({ apiKey, sessionId, token, subscribeToAll = true, secret }) => {
    person.token = token;
    person.apiKey = apiKey;
    const session = era === 'v1' ? TB.initSession(sessionId) : OT.initSession(apiKey, sessionId, secret ? { encryptionSecret: secret } : {});
    person.session = session;
    (era === 'v1' ? TB : OT)[era === 'v1' ? 'addEventListener' : 'on']('exception', (event) =>
      person.log.push({ source: 'exception', type: event.type, code: event.code, title: event.title, message: event.message }));
    for (const type of sessionEvents) {
      listen(session, type, (event) => {
        note('session', event, session);
        if (!subscribeToAll) return;
        if (type === 'streamCreated' || (era === 'v1' && type === 'sessionConnected')) {
          for (const stream of event.streams || [event.stream]) {
            if (stream.connection.connectionId !== session.connection.connectionId) person.subscribe(stream);
          }
        }
      });
    }
  };

  person.connect = () => era === 'v1'
    ? person.session.connect(person.apiKey, person.token)
    : person.session.connect(person.token, (error) => person.log.push({ source: 'handler', type: 'connect', error: error && { name: error.name, code: error.code, message: error.message } }));

  person.box = (id) => {
    const box = document.createElement('div');
    box.id = id;
    document.getElementById('stage').appendChild(box);
    return id;
  };

  person.publish = (options = {}) => {
    const properties = { width: 320, height: 240, name: 'me', ...options };
    person.publisher = era === 'v1'
      ? TB.initPublisher(person.apiKey, person.box('me'), properties)
      : OT.initPublisher(person.box('me'), properties);
    for (const type of ['streamCreated', 'streamDestroyed', 'destroyed', 'accessAllowed', 'accessDenied', 'muteForced',
      'videoDisableWarning', 'videoDisableWarningLifted', 'videoDisabled', 'videoEnabled']) {
      listen(person.publisher, type, (event) => note('publisher', event, person.publisher));
    }
    return person.publishAgain();
  };

  person.publishAgain = () => {
    era === 'v1'
      ? person.session.publish(person.publisher)
      : person.session.publish(person.publisher, (error) => person.log.push({ source: 'handler', type: 'publish', error: error && { name: error.name, code: error.code, message: error.message } }));
  };

  let boxes = 0;
  person.subscribe = (stream, properties = { width: 320, height: 240 }) => {
    const subscriber = person.session.subscribe(stream, person.box(`box-${(boxes += 1)}`), properties);
    person.subscribers[stream.streamId] = subscriber;
    for (const type of ['connected', 'disconnected', 'destroyed', 'videoDisableWarning', 'videoDisableWarningLifted', 'videoDisabled', 'videoEnabled', 'mediaStreamAvailable',
      'encryptionSecretMatch', 'encryptionSecretMismatch']) {
      if (era === 'v2') listen(subscriber, type, (event) => note(`subscriber:${stream.streamId}`, event, subscriber));
    }
    return subscriber;
  };

  // A camera that sees one colour; the colour moves a little so that the encoder has work.
  person.colourTrack = (colour) => {
    const canvas = document.createElement('canvas');
    canvas.width = 320;
    canvas.height = 240;
    const pen = canvas.getContext('2d');
    let turn = 0;
    const paint = () => {
      turn += 1;
      pen.fillStyle = colour;
      pen.fillRect(0, 0, 320, 240);
      pen.fillStyle = 'rgba(128,128,128,0.5)';
      pen.fillRect(turn % 300, 4, 16, 16);
    };
    paint();
    person.painters = [...(person.painters || []), setInterval(paint, 50)];
    return canvas.captureStream(20).getVideoTracks()[0];
  };

  // The entry of one of the session's collections whose `key` is `value`, once it is there.
  person.find = async (collection, key, value) => {
    for (;;) {
      let found;
      person.session[collection].forEach((entry) => { if (entry[key] === value) found = entry; });
      if (found) return found;
      await new Promise(requestAnimationFrame);
    }
  };

  const visible = (element) => {
    for (let node = element; node && node.nodeType === 1; node = node.parentElement) {
      const style = getComputedStyle(node);
      if (style.display === 'none' || style.visibility === 'hidden' || Number(style.opacity) === 0) return false;
    }
    return true;
  };
  const pixel = (() => {
    const canvas = document.createElement('canvas');
    canvas.width = canvas.height = 4;
    const pen = canvas.getContext('2d', { willReadFrequently: true });
    return (video) => {
      pen.drawImage(video, video.videoWidth / 3, video.videoHeight / 2, 8, 8, 0, 0, 4, 4);
      return Array.from(pen.getImageData(1, 1, 1, 1).data.slice(0, 3));
    };
  })();

  // Records the colour of every frame that this element shows while it can be seen.
  person.watchColours = (root, seen) => {
    const watch = (video) => {
      const look = () => {
        if (video.srcObject && visible(video) && video.videoWidth > 0) seen.push(pixel(video));
        video.requestVideoFrameCallback(look);
      };
      video.requestVideoFrameCallback(look);
    };
    root.querySelectorAll('video').forEach(watch);
    new MutationObserver((changes) => {
      for (const change of changes) {
        for (const node of change.addedNodes) {
          if (node.nodeName === 'VIDEO') watch(node);
          else if (node.querySelectorAll) node.querySelectorAll('video').forEach(watch);
        }
      }
    }).observe(root, { childList: true, subtree: true });
  };

  // The longest time, in ms, that this subscriber's element went without a new frame since the first call.
  const gaps = (person.gaps = {});
  person.longestGap = (streamId) => {
    const video = videoIn(document.getElementById(person.subscribers[streamId].id));
    if (!(streamId in gaps)) {
      gaps[streamId] = { last: performance.now(), longest: 0 };
      const look = () => {
        const now = performance.now();
        gaps[streamId].longest = Math.max(gaps[streamId].longest, now - gaps[streamId].last);
        gaps[streamId].last = now;
        video.requestVideoFrameCallback(look);
      };
      video.requestVideoFrameCallback(look);
    }
    return Math.max(gaps[streamId].longest, performance.now() - gaps[streamId].last);
  };

  const videoIn = (root) => root && root.querySelector('video');
  // When each frame was shown since the first call; getVideoPlaybackQuality() counts no streams in Firefox.
  const shown = new WeakMap();
  const framesOf = (elementId) => {
    const video = videoIn(document.getElementById(elementId));
    if (!video || !visible(video)) return [];
    if (!shown.has(video)) {
      const times = [];
      shown.set(video, times);
      const note = () => {
        times.push(performance.now());
        video.requestVideoFrameCallback(note);
      };
      video.requestVideoFrameCallback(note);
    }
    return shown.get(video);
  };
  person.framesShown = (elementId) => framesOf(elementId).length;
  // The longest time in ms without a frame of that stream from `since` until now.
  person.gapSince = (streamId, since) => {
    const times = [...framesOf(person.subscribers[streamId].id), performance.now()];
    const first = times.findLastIndex((at) => at <= since);
    return Math.max(...times.slice(Math.max(0, first) + 1).map((at, index) => at - times[Math.max(0, first) + index]));
  };
  person.subscriberFrames = (streamId) => {
    const subscriber = person.subscribers[streamId];
    return subscriber ? person.framesShown(subscriber.id) : 0;
  };

  // Sends a numbered signal every `pause` ms until `hush`, which returns how many; `spoken` keeps what comes, by sender.
  person.spoken = {};
  person.talk = (pause) => {
    let said = 0;
    const talking = setInterval(() => {
      person.session.signal({ type: 'talk', data: String(said++) }, (error) => error && person.errors.push(`signal: ${error.message}`));
    }, pause);
    person.hush = () => {
      clearInterval(talking);
      return said;
    };
  };
  person.listen = () => person.session.on('signal:talk', ({ from, data }) => {
    (person.spoken[from.connectionId] ||= []).push(Number(data));
  });

  // Every peer connection of the page, for what follows.
  const connections = [];
  const Peer = window.RTCPeerConnection;
  window.RTCPeerConnection = class extends Peer {
    constructor(...options) {
      super(...options);
      connections.push(this);
    }
  };
  // What carries the page's media, `udp` or `tcp`; null before anything does.
  person.carrier = async () => {
    const open = connections.filter((connection) => connection.connectionState === 'connected').at(-1);
    if (!open) return null;
    const report = await open.getStats();
    const chosen = [...report.values()].find((entry) => entry.type === 'transport').selectedCandidatePairId;
    return report.get(report.get(chosen).localCandidateId).protocol;
  };

  // Root mean square of all samples of a received track.
  const decodedLoudness = async (track) => {
    for (const receiver of connections.flatMap((connection) => connection.getReceivers())) {
      if (receiver.track !== track) continue;
      for (const entry of (await receiver.getStats()).values()) {
        if (entry.type === 'inbound-rtp' && entry.totalSamplesDuration > 1) {
          return Math.sqrt(entry.totalAudioEnergy / entry.totalSamplesDuration);
        }
      }
    }
    return 0;
  };

  // Loudest amplitude (0 to 1) that has been heard from this subscriber since the first call. A Firefox on a machine
  // without sound never starts an AudioContext: there, what it has decoded for an element that is not muted.
  const loudest = {};
  person.loudness = (streamId) => {
    const video = videoIn(document.getElementById(person.subscribers[streamId].id));
    if (!video || !video.srcObject || video.muted || video.volume === 0 || video.srcObject.getAudioTracks().length === 0) return 0;
    const context = (person.context ||= new AudioContext());
    if (context.state !== 'running') return decodedLoudness(video.srcObject.getAudioTracks()[0]);
    if (!(streamId in loudest)) {
      loudest[streamId] = 0;
      const analyser = context.createAnalyser();
      context.createMediaStreamSource(video.srcObject).connect(analyser);
      const samples = new Float32Array(analyser.fftSize);
      setInterval(() => {
        analyser.getFloatTimeDomainData(samples);
        for (const sample of samples) loudest[streamId] = Math.max(loudest[streamId], Math.abs(sample));
      }, 20);
    }
    return loudest[streamId];
  };

  // Whether nothing was heard of this subscriber for 1.5 s: the fake microphone beeps every second.
  person.silent = async (streamId) => {
    loudest[streamId] = 0;
    await new Promise((resume) => setTimeout(resume, 1500));
    return loudest[streamId] < 0.005;
  };
  return person;
})();
