// Listeners: how they are added, when they run, what they may do.

function emitter() {
  return TB.initSession('1_events_' + new Date().getTime() + Math.random());
}

function event(type) {
  return { type: type };
}

check('v1-listeners', function (t) {
  var session = emitter(), calls = [];
  function one() { calls.push('one'); }
  function two() { calls.push('two'); }
  t.equal(session.addEventListener('a', one), undefined, 'the result');
  session.addEventListener('a', two);
  session.addEventListener('a', one);
  session.addEventListener('a', function () {
    t.equal(calls, at === '0.91' ? ['two', 'one'] : ['one', 'two'], 'each is called once, in order');
    session.removeEventListener('a', one);
    session.removeEventListener('a', function () {});
    t.done();
  });
  session.dispatchEvent(event('a'));
  t.equal(calls, [], 'calls inside the call that caused the event');
});

check('v1-listener-mistakes', function (t) {
  var session = emitter();
  function listener() {}
  t.throws(function () { session.addEventListener('a'); }, 'addEventListener');
  t.throws(function () { session.addEventListener(null, listener); }, 'addEventListener');
  t.throws(function () { session.removeEventListener('a'); }, 'removeEventListener');
  t.throws(function () { TB.addEventListener(); }, 'addEventListener');
  t.throws(function () { session.dispatchEvent(); }, 'dispatchEvent');
  t.throws(function () { session.dispatchEvent({}); }, 'dispatchEvent');
  session.removeEventListener('a', listener);
  t.done();
});

check('v1-listener-removed-while-running', function (t) {
  var session = emitter(), calls = [];
  function last() { calls.push('last'); }
  session.addEventListener('a', function first(event) {
    t.ok(this === window, 'this is the window');
    t.ok(event.target === session, 'the target is the Session');
    calls.push('first');
    session.removeEventListener('a', last);
    session.removeEventListener('a', first);
    session.addEventListener('a', function () { calls.push('added'); });
    Promise.resolve().then(function () { calls.push('between'); }); // each listener has a task of its own
  });
  session.addEventListener('a', last);
  session.dispatchEvent(event('a'));
  t.wait('both ran', function () { return calls.length === 3; }, function () {
    session.addEventListener('a', function () {
      t.equal(calls, ['first', 'between', 'last', 'added'], 'the calls');
      t.done();
    });
    session.dispatchEvent(event('a'));
  });
});

check('v1-throwing-listener', function (t) {
  t.throwsOnPurpose = true;
  t.connected('publisher', null, function (session) {
    t.publish(session, {}, function (publisher) {
      var order = [];
      session.addEventListener('sessionDisconnected', function () { order.push('throws'); throw new Error('on purpose'); });
      session.addEventListener('sessionDisconnected', function (event) {
        order.push('second');
        t.ok(document.getElementById(publisher.id), 'the default comes after every listener');
        t.equal(event.cancelable, true, 'cancelable');
      });
      session.disconnect();
      t.equal(order, [], 'calls inside disconnect()');
      t.wait('the default', function () { return !document.getElementById(publisher.id); }, function () {
        t.equal(order, ['throws', 'second'], 'the order');
        t.done();
      });
    });
  });
});

check('v1-late-prevention', function (t) {
  t.connected('publisher', null, function (session) {
    t.publish(session, {}, function (publisher) {
      session.addEventListener('sessionDisconnected', function (event) {
        setTimeout(function () { event.preventDefault(); }, 0);
        Promise.resolve().then(function () { event.preventDefault(); });
      });
      session.addEventListener('sessionDisconnected', function () {});
      session.disconnect();
      t.wait('the default', function () { return !document.getElementById(publisher.id); }, function () { t.done(); });
    });
  });
});

check('v1-newer-names', function (t) {
  var session = emitter(), calls = [];
  function twice() { calls.push('twice'); }
  session.on('a', twice);
  session.on('a', twice);
  session.once('a', function () { calls.push('once'); });
  session.addEventListener('a', function () {
    t.equal(calls, ['twice', 'twice', 'once'], 'the calls');
    session.off();
    t.done();
  });
  session.dispatchEvent(event('a'));
});
