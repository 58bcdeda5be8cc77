// Who sees what when somebody leaves or stops, for each reason, from both sides, with the default and with the default
// prevented.

function count(selector) {
  return document.querySelectorAll(selector).length;
}

function created(log) {
  return log.filter(function (entry) { return entry === 'streamCreated'; }).length;
}

// A call of two: `session` publishes and subscribes, and so does the other one, who is a moderator.
function call(t, prevented, then) {
  t.connected('publisher', null, function (session) {
    var log = t.watch(session);
    if (prevented) {
      session.addEventListener('sessionDisconnected', function (event) { event.preventDefault(); });
      session.addEventListener('streamDestroyed', function (event) { event.preventDefault(); });
    }
    t.publish(session, { publishVideo: false }, function (publisher, stream) {
      t.other('moderator', session.sessionId, function (other) {
        t.publish(other.session, { publishVideo: false }, function (theirs, second) {
          // The collection has it before the event is told.
          t.wait('the stream of the other', function () { return created(log) === 2 && created(other.log) === 1; }, function () {
            var subscriber = session.subscribe(session.streams[second.streamId], t.box(), { width: 100, height: 75 });
            other.window.document.body.appendChild(other.window.document.createElement('div')).id = 'view';
            other.session.subscribe(other.session.streams[stream.streamId], 'view', { width: 100, height: 75 });
            log.length = 0;
            other.log.length = 0;
            then({ session: session, log: log, publisher: publisher, stream: stream, subscriber: subscriber,
              other: other, theirs: theirs, second: second, elsewhere: function () { return other.window.document.getElementById('view'); } });
          });
        }, other.window);
      });
    });
  });
}

function connectAgain(t, session, then) {
  t.token(session.sessionId, 'publisher', function (token) {
    t.next(session, 'sessionConnected', then);
    session.connect(apiKey, token);
  });
}

// `cause` ends the connection of `session`; both sides are told `reason`.
function connectionEnds(t, prevented, reason, cause) {
  call(t, prevented, function (c) {
    cause(c);
    t.wait('both are told', function () { return c.log.length && c.other.log.length === 2; }, function () {
      t.equal(c.log, ['sessionDisconnected ' + reason], 'what the one that leaves sees');
      t.equal(c.other.log, ['streamDestroyed ' + reason, 'connectionDestroyed ' + reason], 'what the others see');
      t.equal([c.session.connection, c.session.connected, c.publisher.session], [null, false, null], 'the objects');
      t.wait("the other's Subscriber goes", function () { return !c.elsewhere(); }, function () {
        if (!prevented) return t.wait('all goes', function () { return !count('.OT_root'); }, function () { t.done(); });
        t.equal([count('.OT_publisher'), count('.OT_subscriber')], [1, 1], 'what stays');
        connectAgain(t, c.session, function () { // nothing that was kept is taken up again
          t.equal([c.session.publishers, c.publisher.session, c.session.getSubscribersForStream(c.second).length], [{}, null, 1], 'the kept');
          c.publisher.destroy();
          c.session.unsubscribe(c.subscriber);
          t.equal(count('.OT_root'), 0, 'what the page has taken away itself');
          t.done();
        });
      });
    });
  });
}

// `cause` ends the stream of `session`, whose connection stays.
function streamEnds(t, prevented, reason, cause) {
  call(t, prevented, function (c) {
    cause(c);
    t.wait('both are told', function () { return c.log.length && c.other.log.length; }, function () {
      t.equal(c.log, ['streamDestroyed ' + reason], 'what the one that stops sees');
      t.equal(c.other.log, ['streamDestroyed ' + reason], 'what the others see');
      t.equal([c.session.connected, c.session.getPublisherForStream(c.stream), count('.OT_subscriber')], [true, null, 1], 'what stays');
      t.wait("the other's Subscriber goes", function () { return !c.elsewhere(); }, function () {
        if (prevented) {
          t.equal([count('.OT_publisher'), c.session.publishers], [1, {}], 'the kept view');
          c.publisher.destroy();
        }
        t.wait('the own view goes', function () { return !count('.OT_publisher'); }, function () {
          t.publish(c.session, { publishVideo: false }, function () { // it may publish again
            t.equal(c.session.connected, true, 'connected');
            t.done();
          });
        });
      });
    });
  });
}

// `cause` ends the other's stream or connection; the own Subscriber goes by the default.
function theirsEnds(t, prevented, told, cause, toldThem) {
  call(t, prevented, function (c) {
    cause(c);
    t.wait('it is told', function () { return c.log.length === told.length; }, function () {
      t.equal(c.log, told, 'what the others see');
      if (toldThem) t.equal(c.other.log, toldThem, 'what the one that goes sees');
      if (!prevented) return t.wait('it goes', function () { return !count('.OT_subscriber'); }, function () {
        t.equal([count('.OT_publisher'), c.session.getSubscribersForStream(c.second).length], [1, 0], 'what stays');
        t.done();
      });
      t.equal([count('.OT_publisher'), count('.OT_subscriber')], [1, 1], 'what stays');
      c.session.unsubscribe(c.subscriber);
      t.done();
    });
  });
}

function leave(c) { c.session.disconnect(); }
function kick(c) { c.other.session.forceDisconnect(c.other.session.connections[c.session.connection.connectionId]); }
function stop(c) { c.session.unpublish(c.publisher); }
function stopThem(c) { c.other.session.forceUnpublish(c.other.session.streams[c.stream.streamId]); }
function theyLeave(c) { c.other.session.disconnect(); }
function theyClose(c) { c.other.frame.parentNode.removeChild(c.other.frame); }
function theyStop(c) { c.other.session.unpublish(c.theirs); }

check('v1-leaving', function (t) { connectionEnds(t, false, 'clientDisconnected', leave); });
check('v1-leaving-prevented', function (t) { connectionEnds(t, true, 'clientDisconnected', leave); });
check('v1-kicked', function (t) { connectionEnds(t, false, 'forceDisconnected', kick); });
check('v1-kicked-prevented', function (t) { connectionEnds(t, true, 'forceDisconnected', kick); });
check('v1-unpublish', function (t) { streamEnds(t, false, 'clientDisconnected', stop); });
check('v1-unpublish-prevented', function (t) { streamEnds(t, true, 'clientDisconnected', stop); });
check('v1-force-unpublish', function (t) { streamEnds(t, false, 'forceUnpublished', stopThem); });
check('v1-force-unpublish-prevented', function (t) { streamEnds(t, true, 'forceUnpublished', stopThem); });
check('v1-they-leave', function (t) {
  theirsEnds(t, false, ['streamDestroyed clientDisconnected', 'connectionDestroyed clientDisconnected'], theyLeave);
});
check('v1-they-leave-prevented', function (t) {
  theirsEnds(t, true, ['streamDestroyed clientDisconnected', 'connectionDestroyed clientDisconnected'], theyLeave);
});
check('v1-page-closed', function (t) {
  theirsEnds(t, false, ['streamDestroyed clientDisconnected', 'connectionDestroyed clientDisconnected'], theyClose, []);
});
check('v1-they-stop', function (t) { theirsEnds(t, false, ['streamDestroyed clientDisconnected'], theyStop); });
check('v1-kick-oneself', function (t) {
  t.connected('moderator', null, function (session) {
    t.next(session, 'sessionDisconnected', function (event) {
      t.equal(event.reason, 'forceDisconnected', 'the reason');
      t.done();
    });
    session.forceDisconnect(session.connection);
  });
});
