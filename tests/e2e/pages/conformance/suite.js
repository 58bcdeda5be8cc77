// The frame of the conformance checks. Each check is one or more facts of the API, told by an application against a real
// server; `contract/conformance.yaml` names it by its id. A check gets `t`: assertions and the people it needs.
window.suite = (() => {
  const checks = new Map();
  const DEADLINE_MS = 20_000;

  const show = (value) => {
    try {
      return typeof value === 'string' ? value : JSON.stringify(value) ?? String(value);
    } catch {
      return String(value);
    }
  };
  const alike = (one, other) => one === other || (Number.isNaN(one) && Number.isNaN(other)) ||
    (typeof one === 'object' && typeof other === 'object' && show(one) === show(other));

  class Check {
    constructor(id) {
      this.id = id;
      this.cleanups = [];
      this.boxes = 0;
    }

    ok(condition, what) {
      if (!condition) throw new Error(`${what} does not hold`);
    }

    equal(found, expected, what = 'the value') {
      if (!alike(found, expected)) throw new Error(`${what}: found ${show(found)}, expected ${show(expected)}`);
    }

    // Waits until `condition` gives something true, and gives that.
    async until(condition, what) {
      const end = performance.now() + DEADLINE_MS;
      for (;;) {
        const held = await condition();
        if (held) return held;
        if (performance.now() > end) throw new Error(`${what ?? condition} never held`);
        await new Promise((resume) => setTimeout(resume, 15));
      }
    }

    // The next event of that type; attach before causing it.
    next(emitter, type) {
      return new Promise((resolve, reject) => {
        const timer = setTimeout(() => reject(new Error(`${type} never came`)), DEADLINE_MS);
        emitter.once(type, (event) => {
          clearTimeout(timer);
          resolve(event);
        });
      });
    }

    // Waits until the element presents new frames. (Firefox counts none of a stream's in getVideoPlaybackQuality.)
    async moves(video, frames = 5) {
      let shown = 0;
      const count = () => {
        shown += 1;
        if (shown < frames) video.requestVideoFrameCallback(count);
      };
      video.requestVideoFrameCallback(count);
      await this.until(() => shown >= frames, 'the picture moves');
    }

    // What a promise is rejected with; its name and code are checked.
    async rejected(work, name, code) {
      let error;
      try {
        await work;
      } catch (thrown) {
        error = thrown;
      }
      if (error === undefined) throw new Error(`${name} was not raised`);
      return this.isError(error, name, code);
    }

    isError(error, name, code) {
      this.ok(error instanceof Error && error instanceof OT.Error, `${show(error)} is an Error`);
      this.equal(error.name, name, 'the name of the error');
      if (code !== undefined) this.equal(error.code, code, 'the code of the error');
      this.ok(typeof error.message === 'string' && error.message !== '', 'the error has a message');
      this.ok(typeof error.code === 'number', 'the error has a code');
      return error;
    }

    // Calls a method with a completion handler; gives the handler's arguments, and checks that it is called once, later.
    handled(call) {
      return new Promise((resolve, reject) => {
        let calls = 0;
        let returned = false;
        const timer = setTimeout(() => reject(new Error('the handler was never called')), DEADLINE_MS);
        call((...args) => {
          calls += 1;
          if (!returned || calls > 1) return reject(new Error(returned ? 'the handler was called twice' : 'the handler was called inside the call'));
          clearTimeout(timer);
          setTimeout(() => resolve(args), 0);
        });
        returned = true;
      });
    }

    // A box in the page, with an id of its own.
    box(tag = 'div') {
      const box = document.createElement(tag);
      box.id = `box-${this.id}-${(this.boxes += 1)}`;
      document.getElementById('stage').append(box);
      this.cleanups.push(() => box.remove());
      return box;
    }

    // What the namespace tells as `exception` from now on.
    exceptions() {
      const told = [];
      const note = (event) => told.push(event);
      OT.on('exception', note);
      this.cleanups.push(() => OT.off('exception', note));
      return told;
    }

    async makeSession({ e2ee = false } = {}) {
      return (await fetch(`/make-session?e2ee=${e2ee}`)).json();
    }

    // A token, good for an hour or for so many seconds.
    async makeToken(sessionId, role = 'publisher', data = '', { expiresIn = 3600 } = {}) {
      const query = new URLSearchParams({ sessionId, role, data, expiresIn });
      return (await fetch(`/make-token?${query}`)).json();
    }

    // A session of this page, connected.
    async connected(role = 'publisher', options = {}) {
      const sessionId = options.sessionId ?? (await this.makeSession());
      const session = OT.initSession(options.apiKey ?? apiKey, sessionId, options.init);
      this.cleanups.push(() => session.disconnect());
      await session.connect.promise(await this.makeToken(sessionId, role, options.data));
      return session;
    }

    // Another person in the same session: a frame with its own script, which is another client for the server.
    async other(sessionId, role = 'publisher', data = '', init = {}) {
      const frame = document.createElement('iframe');
      frame.allow = 'camera; microphone; display-capture; autoplay';
      frame.src = '/frame.html';
      frame.style.cssText = 'width:320px;height:240px';
      document.getElementById('stage').append(frame);
      await new Promise((resolve) => (frame.onload = resolve));
      const theirs = frame.contentWindow;
      const session = theirs.OT.initSession(apiKey, sessionId, init);
      this.cleanups.push(async () => {
        await session.disconnect();
        frame.remove();
      });
      await session.connect.promise(await this.makeToken(sessionId, role, data));
      return { OT: theirs.OT, session, window: theirs, frame };
    }

    publisher(properties = {}, target = this.box()) {
      const publisher = OT.initPublisher(target, { width: 160, height: 120, resolution: '320x240', ...properties });
      this.cleanups.push(() => publisher.destroy());
      return publisher;
    }

    async published(session, properties = {}) {
      const publisher = this.publisher(properties);
      await session.publish.promise(publisher);
      return publisher;
    }

    // Publishes to a session of its own and subscribes to that stream.
    async loop(properties = {}, wishes = {}) {
      const session = await this.connected();
      const publisher = await this.published(session, properties);
      const subscriber = await session.subscribe.promise(publisher.stream, this.box(), { width: 160, height: 120, testNetwork: true, ...wishes });
      return { session, publisher, subscriber };
    }

    // A track that a canvas paints.
    canvasTrack(colour = 'teal', width = 160, height = 120) {
      const canvas = document.createElement('canvas');
      canvas.width = width;
      canvas.height = height;
      const pen = canvas.getContext('2d');
      let turn = 0;
      const paint = () => {
        pen.fillStyle = colour;
        pen.fillRect(0, 0, width, height);
        pen.fillStyle = 'white';
        pen.fillRect((turn += 1) % width, 4, 8, 8);
      };
      paint();
      const timer = setInterval(paint, 40);
      this.cleanups.push(() => clearInterval(timer));
      return canvas.captureStream(25).getVideoTracks()[0];
    }

    // A track with a tone of that loudness.
    toneTrack(loudness = 0.5) {
      const context = (window.toneContext ??= new AudioContext());
      const [tone, gain, sink] = [context.createOscillator(), context.createGain(), context.createMediaStreamDestination()];
      gain.gain.value = loudness;
      tone.connect(gain).connect(sink);
      tone.start();
      this.cleanups.push(() => tone.stop());
      return sink.stream.getAudioTracks()[0];
    }

    async end() {
      for (const clean of this.cleanups.reverse()) await Promise.race([clean(), new Promise((resume) => setTimeout(resume, 3000))]);
    }
  }

  return {
    checks,
    check: (id, run) => {
      if (checks.has(id)) throw new Error(`two checks are called ${id}`);
      checks.set(id, run);
    },
    // Runs one check; null when it holds, else why it does not.
    run: async (id) => {
      const t = new Check(id);
      const errors = [];
      const note = (event) => errors.push(String(event.message ?? event.reason));
      addEventListener('error', note);
      addEventListener('unhandledrejection', note);
      try {
        await Promise.race([
          checks.get(id)(t),
          new Promise((_, reject) => setTimeout(() => reject(new Error('the check takes too long')), 45_000)),
        ]);
        if (errors.length > 0 && !t.throwsOnPurpose) throw new Error(`the page saw ${errors.join('; ')}`);
        return null;
      } catch (error) {
        return `${error.message ?? error}\n${error.stack ?? ''}`;
      } finally {
        await t.end().catch(() => undefined);
        removeEventListener('error', note);
        removeEventListener('unhandledrejection', note);
      }
    },
  };
})();
const { check } = window.suite;
