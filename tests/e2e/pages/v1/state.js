// The state that the members of a session share, in pages of the time.

check('v1-state-shared', function (t) {
  var told = [];
  function note(who) {
    return function (event) { told.push(who + ' ' + event.type + ' ' + JSON.stringify(event.changedValues)); };
  }
  t.session('publisher', null, function (session) {
    t.throws(function () { session.getStateManager(); }, 'Session.getStateManager');
    t.connected('publisher', session.sessionId, function (mine) {
      var state = mine.getStateManager();
      t.ok(mine.getStateManager() === state, 'one StateManager for a session');
      state.addEventListener('changed', note('mine'));
      state.addEventListener('changed:slide', note('mine'));
      t.other('subscriber', mine.sessionId, function (other) {
        var theirs = other.session.getStateManager();
        theirs.addEventListener('changed', note('theirs'));
        t.equal(state.set({ slide: '1', topic: 'cats' }), undefined, 'what set returns');
        t.wait('both are told', function () { return told.length === 3; }, function () {
          var both = '{"slide":"1","topic":"cats"}';
          t.equal(told.slice().sort(), ['mine changed ' + both, 'mine changed:slide {"slide":"1"}', 'theirs changed ' + both]);
          t.ok(told.indexOf('mine changed ' + both) < told.indexOf('mine changed:slide {"slide":"1"}'), 'changed comes first');
          told.length = 0;
          theirs.set('topic', null);
          state.set('slide', '1');
          t.wait('a key is gone for both', function () { return told.length === 2; }, function () {
            t.equal(told.slice().sort(), ['mine changed {"topic":null}', 'theirs changed {"topic":null}']);
            t.done();
          });
        });
      });
    });
  });
});

check('v1-state-late', function (t) {
  t.connected('moderator', null, function (session) {
    var state = session.getStateManager();
    state.set('moderator_lock', 'on');
    state.set('slide', '7');
    t.next(state, 'changed:slide', function () {
      t.other('publisher', session.sessionId, function (late) {
        var theirs = late.session.getStateManager(), told = [], returned = false;
        theirs.addEventListener('changed', function (event) {
          t.ok(returned, 'it is told later');
          t.ok(event.target === theirs && event.cancelable === false, 'an ordinary event');
          told.push(event.changedValues);
        });
        theirs.addEventListener('changed:slide', function (event) { told.push(event.changedValues); });
        theirs.addEventListener('changed:nothing', function () { told.push('nothing'); });
        returned = true;
        t.wait('who comes late has what there is', function () { return told.length >= 2; }, function () {
          t.equal(told, [{ moderator_lock: 'on', slide: '7' }, { slide: '7' }]);
          told.length = 0;
          state.set('slide', '8');
          t.wait('and what follows', function () { return told.length >= 2; }, function () {
            t.equal(told, [{ slide: '8' }, { slide: '8' }]);
            t.done();
          });
        });
      });
    });
  });
});

check('v1-state-refused', function (t) {
  t.connected('publisher', null, function (session) {
    var state = session.getStateManager(), failed = [], changed = [];
    function long(length) { return new Array(length + 1).join('x'); }
    var many = {};
    for (var i = 0; i < 21; i++) many['key' + i] = 'x';
    var misuses = [[], ['key'], [null], ['key', undefined], [['a', 'b']], [7], [true, 'x']];
    for (i = 0; i < misuses.length; i++) {
      t.throws(function () { state.set.apply(state, misuses[i]); }, 'StateManager.set');
    }
    state.addEventListener('changeFailed', function (event) { failed.push(event); });
    state.addEventListener('changed', function (event) { changed.push(event.changedValues); });
    var wrong = [
      ['two words', 'x', 402], ['', 'x', 402], [long(101), 'x', 402],
      ['key', long(1001), 403], ['key', 7, 403], ['key', {}, 403],
      [many, undefined, 405], ['moderator_lock', 'on', 401], [{ good: 'x', moderator_lock: 'on' }, undefined, 401]
    ];
    for (i = 0; i < wrong.length; i++) state.set(wrong[i][0], wrong[i][1]);
    t.wait('every refusal is told', function () { return failed.length === wrong.length; }, function () {
      var codes = [], expected = [];
      for (i = 0; i < wrong.length; i++) {
        codes.push(failed[i].reasonCode);
        expected.push(wrong[i][2]);
        t.ok(typeof failed[i].reason === 'string' && failed[i].reason !== '', 'a reason in words');
      }
      t.equal(codes.sort(), expected.sort(), 'the codes');
      t.equal(changed, [], 'nothing was set');
      t.equal(failed[failed.length - 1].failedValues, { good: 'x', moderator_lock: 'on' }, 'what failed');
      state.set(7, long(1000));
      state.set('publisher_' + long(90), 'x');
      t.wait('what is lawful is set', function () { return changed.length === 2; }, function () { t.done(); });
    });
  });
});

check('v1-state-gone', function (t) {
  t.connected('publisher', null, function (session) {
    var state = session.getStateManager();
    t.next(session, 'sessionDisconnected', function () {
      t.next(state, 'changeFailed', function (event) {
        t.equal([event.reasonCode, event.failedValues], [500, { slide: '1' }]);
        t.done();
      });
      state.set('slide', '1');
    });
    session.disconnect();
  });
});
