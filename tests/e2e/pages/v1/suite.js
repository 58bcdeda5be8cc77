// The frame of the checks of the first generation, in the JavaScript of its time. Each file beside this one is a page about
// one area, which runs at every script address; contract/conformance.yaml names its checks. A check gets `t` and calls
// t.done() when it has seen everything that it wanted to see.
var suite = (function () {
  var checks = {};
  var DEADLINE = 25000;

  function Check(id) {
    this.id = id;
    this.boxes = 0;
    this.cleanups = [];
    this.exceptions = [];
    this.at = at;
  }

  Check.prototype.ok = function (condition, what) {
    if (!condition) throw new Error(what + ' does not hold');
  };

  Check.prototype.equal = function (found, expected, what) {
    if (found === expected) return;
    var one = JSON.stringify(found), other = JSON.stringify(expected);
    if (one === undefined || one !== other) throw new Error((what || 'the value') + ': found ' + one + ', expected ' + other);
  };

  // What the call throws: a plain Error whose message begins with the method's name.
  Check.prototype.throws = function (call, method) {
    var thrown = null;
    try { call(); } catch (error) { thrown = error; }
    this.ok(thrown && /Error$/.test(thrown.name), method + ' throws'); // an Error of whatever frame
    this.ok(thrown.message.indexOf(method) === 0, method + ' is named by "' + thrown.message + '"');
  };

  // Calls `then` with the first true value of `condition`.
  Check.prototype.wait = function (what, condition, then) {
    var t = this;
    var end = new Date().getTime() + DEADLINE;
    (function look() {
      if (t.over) return;
      var held;
      try { held = condition(); } catch (error) { return t.fail(error); }
      if (held) t.guard(then)(held);
      else if (new Date().getTime() > end) t.fail(new Error(what + ' never held'));
      else setTimeout(look, 20);
    })();
  };

  // `work`, which fails the check when it throws.
  Check.prototype.guard = function (work) {
    var t = this;
    return function () {
      try { return work.apply(this, arguments); } catch (error) { t.fail(error); }
    };
  };

  // The next event of that type.
  Check.prototype.next = function (emitter, type, then) {
    var t = this;
    function heard(event) {
      emitter.removeEventListener(type, heard);
      t.guard(then)(event);
    }
    emitter.addEventListener(type, heard);
  };

  Check.prototype.box = function (id) {
    var box = document.createElement('div');
    box.setAttribute('id', id || 'box_' + this.id + '_' + (++this.boxes));
    document.getElementById('stage').appendChild(box);
    this.cleanups.push(function () { if (box.parentNode) box.parentNode.removeChild(box); });
    return box.id;
  };

  Check.prototype.get = function (address, then) {
    var t = this;
    var request = new XMLHttpRequest();
    request.open('GET', address, true);
    request.onload = function () { t.guard(then)(JSON.parse(request.responseText)); };
    request.onerror = function () { t.fail(new Error(address + ' was not answered')); };
    request.send();
  };

  Check.prototype.token = function (sessionId, role, then) {
    this.get('/make-token?expiresIn=3600&sessionId=' + encodeURIComponent(sessionId) + '&role=' + role + '&data=' + role, then);
  };

  // A Session of this page in the given or a new session, which is not connected yet, with a token of that role.
  Check.prototype.session = function (role, sessionId, then) {
    var t = this;
    if (!sessionId) return t.get('/make-session', function (made) { t.session(role, made, then); });
    t.token(sessionId, role, function (token) {
      var session = TB.initSession(sessionId);
      t.cleanups.push(function () { if (session.connected) session.disconnect(); });
      then(session, token);
    });
  };

  // The same, connected; `before` attaches what must hear of the connection.
  Check.prototype.connected = function (role, sessionId, then, before) {
    var t = this;
    t.session(role, sessionId, function (session, token) {
      if (before) before(session);
      t.next(session, 'sessionConnected', function (event) { then(session, event); });
      session.connect(apiKey, token);
    });
  };

  // A page of its own in a frame: another client. `html` is served as it is; by default it loads the library.
  Check.prototype.frame = function (address, then) {
    var frame = document.createElement('iframe');
    frame.setAttribute('allow', 'camera; microphone; autoplay');
    frame.onload = this.guard(function () { then(frame.contentWindow, frame); });
    frame.src = address;
    document.getElementById('stage').appendChild(frame);
    this.cleanups.push(function () { if (frame.parentNode) frame.parentNode.removeChild(frame); });
  };

  // Another client of that session. `log` has what its application was told, `log` of its publisher included.
  Check.prototype.other = function (role, sessionId, then, before) {
    var t = this;
    t.frame('/v1-frame-' + at + '.html', function (theirs, frame) {
      t.token(sessionId, role, function (token) {
        var session = theirs.TB.initSession(sessionId);
        var other = { TB: theirs.TB, window: theirs, frame: frame, session: session, log: t.watch(session) };
        t.cleanups.push(function () { if (session.connected) session.disconnect(); });
        if (before) before(other);
        t.next(session, 'sessionConnected', function (event) { then(other, event); });
        session.connect(apiKey, token);
      });
    });
  };

  // What a Session tells of comings and goings, as 'type reason', in order.
  Check.prototype.watch = function (session) {
    var log = [];
    var types = ['sessionConnected', 'sessionDisconnected', 'connectionCreated', 'connectionDestroyed', 'streamCreated', 'streamDestroyed'];
    for (var i = 0; i < types.length; i++) {
      session.addEventListener(types[i], function (event) { log.push(event.type + (event.reason ? ' ' + event.reason : '')); });
    }
    return log;
  };

  // Publishes a small picture in that page; `then` gets Publisher and Stream.
  Check.prototype.publish = function (session, properties, then, theirs) {
    var t = this;
    var page = theirs || window;
    var box = page.document.createElement('div');
    box.id = 'publish_' + t.id + '_' + (++t.boxes);
    (page.document.getElementById('stage') || page.document.body).appendChild(box);
    var wishes = { width: 160, height: 120, encodedWidth: 320 };
    for (var key in properties) wishes[key] = properties[key];
    var publisher = page.TB.initPublisher(apiKey, box.id, wishes);
    t.cleanups.push(function () { publisher.destroy(); });
    function created(event) {
      for (var i = 0; i < event.streams.length; i++) {
        if (session.getPublisherForStream(event.streams[i]) !== publisher) continue;
        session.removeEventListener('streamCreated', created);
        return t.guard(then)(publisher, event.streams[i]);
      }
    }
    session.addEventListener('streamCreated', created);
    session.publish(publisher);
    return publisher;
  };

  Check.prototype.fail = function (error) {
    if (!this.over) this.finish(error);
  };

  Check.prototype.done = function () {
    if (!this.over) this.finish(null);
  };

  function run(id) {
    return new Promise(function (resolve) {
      var t = new Check(id);
      var timer = setTimeout(function () { t.fail(new Error('the check takes too long')); }, 2 * DEADLINE);
      function exception(event) { t.exceptions.push(event); }
      function onerror(event) { if (!t.throwsOnPurpose) t.fail(new Error('the page saw ' + (event.message || event.reason))); }
      t.finish = function (error) {
        t.over = true;
        clearTimeout(timer);
        TB.removeEventListener('exception', exception);
        window.removeEventListener('error', onerror);
        window.removeEventListener('unhandledrejection', onerror);
        for (var i = t.cleanups.length - 1; i >= 0; i--) {
          try { t.cleanups[i](); } catch (ignored) { /* what is gone already */ }
        }
        resolve(error === null ? null : error.message + '\n' + error.stack);
      };
      TB.addEventListener('exception', exception);
      window.addEventListener('error', onerror);
      window.addEventListener('unhandledrejection', onerror);
      t.guard(checks[id])(t);
    });
  }

  return {
    check: function (id, work) { checks[id] = work; },
    // Runs these checks one after the other; gives id -> null, or why it does not hold.
    run: function (ids) {
      var results = {};
      return ids.reduce(function (before, id) {
        return before.then(function () { return run(id); }).then(function (failure) { results[id] = failure; });
      }, Promise.resolve()).then(function () { return results; });
    }
  };
})();
var check = suite.check;
