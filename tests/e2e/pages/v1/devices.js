// Cameras and microphones, their panel and their events, in pages of the time.

function publisherWith(t, properties, then) {
  var publisher = TB.initPublisher(apiKey, t.box(), properties);
  t.cleanups.push(function () { publisher.destroy(); });
  t.next(publisher, 'accessAllowed', function () { then(publisher); });
  return publisher;
}

function detected(t, emitter, then) {
  t.next(emitter, 'devicesDetected', then);
  emitter.detectDevices();
}

function names(devices) {
  var found = [];
  for (var i = 0; i < devices.length; i++) found.push(devices[i].name);
  return found;
}

check('v1-devices-detected', function (t) {
  t.frame('/v1-frame-' + t.at + '.html', function (theirs) {
    t.throws(function () { theirs.TB.initDeviceManager(); }, 'TB.initDeviceManager');
    var manager = TB.initDeviceManager(apiKey);
    t.ok(TB.initDeviceManager(apiKey) === manager, 'one for the page');
    t.equal([manager.showMicSettings, manager.showCamSettings], [true, true], 'what panels show');
    publisherWith(t, {}, function (publisher) {
      detected(t, publisher, function (event) {
        t.ok(event.target === publisher, 'on the Publisher');
        t.ok(event.cameras.length >= 2 && event.microphones.length >= 1, 'there are devices');
        t.equal([event.cameras[0].status, event.microphones[0].status], ['active', 'active'], 'what can be used');
        t.ok(names(event.cameras).indexOf(event.selectedCamera.name) >= 0, 'the selected camera is one of them');
        t.ok(names(event.microphones).indexOf(event.selectedMicrophone.name) >= 0, 'so is the microphone');
        detected(t, manager, function (all) {
          t.ok(all.target === manager, 'on the DeviceManager');
          t.equal(names(all.cameras), names(event.cameras), 'the same cameras');
          t.done();
        });
      });
    });
  });
});

check('v1-devices-chosen', function (t) {
  var wrong = [];
  publisherWith(t, { microphoneName: 'no such microphone' }, function (publisher) {
    publisher.addEventListener('invalidDeviceName', function (event) { wrong.push(event); });
    detected(t, publisher, function (event) {
      var other = event.cameras[0].name === event.selectedCamera.name ? event.cameras[1] : event.cameras[0];
      t.ok(publisher.setCamera(other) === publisher, 'setCamera returns the Publisher');
      (function look() {
        detected(t, publisher, function (now) {
          if (!now.selectedCamera || now.selectedCamera.name !== other.name) return setTimeout(look, 50);
          t.ok(publisher.setCamera('no such camera').setMicrophone({ name: 'none' }) === publisher, 'chains');
          t.wait('wrong names are told', function () { return wrong.length === 3; }, function () {
            var told = [];
            for (var i = 0; i < 3; i++) {
              var device = wrong[i].camera || wrong[i].microphone;
              t.ok(!wrong[i].camera !== !wrong[i].microphone, 'only one of the two is named');
              told.push((wrong[i].camera ? 'camera ' : 'microphone ') + device.name + ' ' + device.status);
            }
            t.equal(told.sort(), ['camera no such camera invalid', 'microphone no such microphone invalid', 'microphone none invalid']);
            publisher.setCamera(event.selectedCamera.name).setMicrophone(event.microphones[event.microphones.length - 1].name);
            (function again() {
              detected(t, publisher, function (last) {
                if (!last.selectedCamera || last.selectedCamera.name !== event.selectedCamera.name) return setTimeout(again, 50);
                t.equal(wrong.length, 3, 'good names are not told as wrong');
                t.done();
              });
            })();
          });
        });
      })();
    });
  });
});

check('v1-microphone-gain', function (t) {
  var gains = [];
  var publisher = publisherWith(t, { microphoneGain: 100 }, function () {
    t.equal(publisher.getMicrophoneGain(), 100, 'the wished gain');
    var context = new AudioContext(), video = document.getElementById(publisher.id).getElementsByTagName('video')[0];
    t.cleanups.push(function () { context.close(); });
    publisher.addEventListener('microphoneGainChanged', function (event) { gains.push(event.value); });
    function loudest(windows, then) {
      // What is sent, which is what the preview's stream has.
      var source = context.createMediaStreamSource(new MediaStream(video.srcObject.getAudioTracks()));
      var analyser = context.createAnalyser(), samples = new Float32Array(analyser.fftSize), most = 0, count = 0;
      source.connect(analyser);
      var timer = setInterval(function () {
        analyser.getFloatTimeDomainData(samples);
        for (var i = 0; i < samples.length; i++) most = Math.max(most, Math.abs(samples[i]));
        if (++count < windows) return;
        clearInterval(timer);
        source.disconnect();
        t.guard(then)(most);
      }, 25);
    }
    (function loud() {
      loudest(60, function (most) {
        if (most < 0.02) return loud();
        t.ok(publisher.setMicrophoneGain(0) === publisher, 'setMicrophoneGain returns the Publisher');
        (function silent() {
          loudest(80, function (rest) {
            if (rest > 0) return silent();
            publisher.setMicrophoneGain(0);
            publisher.setMicrophoneGain('loud');
            publisher.setMicrophoneGain(50);
            t.wait('changes are told', function () { return gains.length >= 2; }, function () {
              t.equal(gains, [0, 50], 'and only changes');
              t.equal(publisher.getMicrophoneGain(), 50);
              t.done();
            });
          });
        })();
      });
    })();
  });
});

check('v1-microphone-activity', function (t) {
  var values = [];
  var publisher = publisherWith(t, {}, function () {
    t.ok(/^(fullDuplex|off)$/.test(publisher.getEchoCancellationMode()), 'a mode once the microphone is open');
    publisher.addEventListener('microphoneActivityLevel', function (event) { values.push(event.value); });
    publisher.detectMicActivity(true);
    t.wait('the fake microphone beeps', function () { return Math.max.apply(null, values) > 0; }, function () {
      for (var i = 0; i < values.length; i++) t.ok(values[i] >= -1 && values[i] <= 100, 'a level of ' + values[i]);
      publisher.detectMicActivity(false);
      publisher.destroy();
      t.done();
    });
  });
  t.equal([publisher.getEchoCancellationMode(), publisher.getMicrophoneGain()], ['unknown', 50], 'before it is open');
});

check('v1-device-panel', function (t) {
  var manager = TB.initDeviceManager(apiKey), clicks = [], keep = true;
  publisherWith(t, {}, function (publisher) {
    var view = document.getElementById(publisher.id);
    var button = view.querySelector('.OT_settings');
    function panelOf() { return document.getElementById('displayPanel_' + publisher.id); }
    t.ok(button.getAttribute('aria-label') && button.type === 'button', 'a button with a name');
    publisher.addEventListener('settingsButtonClick', function (event) {
      t.ok(event.cancelable && event.target === publisher, 'it can be prevented');
      clicks.push(event.type);
      if (clicks.length === 1) event.preventDefault();
    });
    button.click();
    t.wait('the click is told', function () { return clicks.length === 1; }, function () {
      button.click();
      t.wait('unless prevented a panel opens', panelOf, function (root) {
        t.equal(clicks.length, 2, 'only the second opened it');
        var panel = manager.displayPanel(null, publisher, {});
        t.ok(panel.id === root.id && panel.component === publisher && panel.publisher === publisher, 'there is one for each');
        t.equal([root.getAttribute('role'), root.offsetWidth], ['dialog', 360], 'a dialog of the documented width');
        t.ok(root.contains(document.activeElement), 'with the focus in it');
        var select = root.querySelector('select');
        panel.addEventListener('closeButtonClick', function (event) {
          t.ok(event.cancelable && event.target === panel, 'closing can be prevented');
          if (keep) event.preventDefault();
          keep = false;
          clicks.push(event.type);
        });
        t.wait('it knows the cameras', function () { return select.options.length >= 2; }, function () {
          var other = select.selectedIndex === 0 ? 1 : 0, name = select.options[other].text;
          t.next(panel, 'devicesSelected', function (event) {
            t.equal([event.camera.name, event.microphone], [name, null], 'the chosen one');
            detected(t, publisher, function (now) {
              t.equal(now.selectedCamera.name, name, 'is in use before it is told');
              root.querySelector('.OT_close').click();
              t.wait('the close button is told', function () { return clicks.length === 3; }, function () {
                t.ok(panelOf() === root, 'prevented, the panel stays');
                var escape = new KeyboardEvent('keydown', { key: 'Escape', bubbles: true });
                select.dispatchEvent(escape);
                t.wait('and goes with the next', function () { return panelOf() === null; }, function () {
                  manager.displayPanel(null, publisher);
                  t.ok(panelOf() !== null, 'it can be opened again');
                  publisher.destroy();
                  t.equal(panelOf(), null, 'and goes with its Publisher');
                  t.done();
                });
              });
            });
          });
          select.selectedIndex = other;
          select.dispatchEvent(new Event('change'));
        });
      });
    });
  });
});

check('v1-device-panel-places', function (t) {
  var manager = TB.initDeviceManager(apiKey), box = t.box();
  t.throws(function () { manager.displayPanel('nowhere'); }, 'DeviceManager.displayPanel');
  t.throws(function () { manager.displayPanel(box, {}); }, 'DeviceManager.displayPanel');
  t.throws(function () { manager.removePanel(); }, 'DeviceManager.removePanel');
  var panel = manager.displayPanel(box, null, { showCloseButton: false, showMicSettings: false });
  var root = document.getElementById('displayPanel_global');
  t.equal(panel.id, 'displayPanel_global');
  t.ok(root.parentNode.id === box, 'it is in the element');
  t.equal([root.querySelectorAll('.OT_close').length, root.querySelectorAll('select').length, root.offsetWidth], [0, 1, 340]);
  manager.removePanel(panel);
  t.equal(document.getElementById('displayPanel_global'), null, 'it is gone');
  t.throws(function () { manager.removePanel(panel); }, 'DeviceManager.removePanel');
  t.frame('/v1-frame-' + t.at + '.html', function (theirs, frame) {
    frame.style.width = '320px';
    frame.style.height = '400px';
    theirs.TB.initDeviceManager(apiKey).displayPanel();
    var floating = theirs.document.getElementById('displayPanel_global').getBoundingClientRect();
    t.ok(floating.left >= 0 && floating.right <= theirs.innerWidth, 'on a narrow screen it is whole');
    t.ok(floating.bottom <= theirs.innerHeight, 'and on a low one');
    t.done();
  });
});

check('v1-device-wishes', function (t) {
  var asked = [], media = navigator.mediaDevices, open = media.getUserMedia;
  t.cleanups.push(function () { delete media.getUserMedia; });
  media.getUserMedia = function (wishes) { asked.push(wishes); return open.call(media, wishes); };
  publisherWith(t, { cameraPosition: 'back', echoCancellationMode: 'off' }, function (publisher) {
    t.equal([asked[0].video.facingMode, asked[0].audio.echoCancellation], ['environment', false], 'what the browser is asked for');
    t.wait('the mode is as wished', function () { return publisher.getEchoCancellationMode() !== 'unknown'; }, function () {
      t.equal(publisher.getEchoCancellationMode(), 'off');
      t.done();
    });
  });
});

// Lets the browser answer the next requests for devices by `answer(wishes, ask)`.
function answerDevices(t, answer) {
  var media = navigator.mediaDevices, open = media.getUserMedia;
  t.cleanups.push(function () { delete media.getUserMedia; });
  media.getUserMedia = function (wishes) { return answer(wishes, function (those) { return open.call(media, those); }); };
}

check('v1-device-inactive', function (t) {
  publisherWith(t, {}, function (publisher) {
    detected(t, publisher, function (event) {
      var other = event.cameras[0].name === event.selectedCamera.name ? event.cameras[1] : event.cameras[0];
      answerDevices(t, function () { return Promise.reject(new DOMException('Could not start', 'NotReadableError')); });
      t.next(publisher, 'deviceInactive', function (inactive) {
        t.equal([inactive.camera.name, inactive.camera.status, inactive.microphone], [other.name, 'inactive', null], 'the busy camera');
        t.wait('the exception', function () { return t.exceptions.length; }, function () {
          t.equal([t.exceptions[0].code, t.exceptions[0].component === publisher], [1500, true], 'code and component');
          t.next(publisher, 'deviceInactive', function (muted) {
            t.equal([muted.camera, muted.microphone.name, muted.microphone.status], [null, event.selectedMicrophone.name, 'inactive'], 'the microphone');
            t.done();
          });
          publisher.getAudioSource().dispatchEvent(new Event('mute')); // as when the system takes it away
        });
      });
      publisher.setCamera(other);
    });
  });
});

check('v1-echo-cancellation-mode', function (t) {
  publisherWith(t, {}, function (publisher) {
    t.wait('the mode is known', function () { return publisher.getEchoCancellationMode() !== 'unknown'; }, function () {
      t.equal(publisher.getEchoCancellationMode(), 'fullDuplex', 'the mode at first');
      detected(t, publisher, function (event) {
        var list = event.microphones, current = event.selectedMicrophone.name;
        var other = list[list.length - 1].name === current ? list[0] : list[list.length - 1];
        answerDevices(t, function (wishes, ask) { // a microphone that has no cancellation
          wishes.audio.echoCancellation = false;
          return ask(wishes);
        });
        t.next(publisher, 'echoCancellationModeChanged', function (changed) {
          t.equal([changed.camera, changed.microphone.name, changed.cancelable], [null, other.name, false], 'the event');
          t.equal(publisher.getEchoCancellationMode(), 'off', 'the mode then');
          t.done();
        });
        publisher.setMicrophone(other);
      });
    });
  });
});

// unpublish() closes the panel at once, whatever becomes of the element.
check('v1-device-panel-of-unpublished', function (t) {
  t.connected('publisher', null, function (session) {
    t.publish(session, {}, function (publisher) {
      TB.initDeviceManager(apiKey).displayPanel(null, publisher);
      t.ok(document.getElementById('displayPanel_' + publisher.id), 'the panel is there');
      session.unpublish(publisher);
      t.equal([document.getElementById('displayPanel_' + publisher.id), publisher.session], [null, null], 'panel and session');
      t.done();
    });
  });
});
