"""Headless Chromium through its debugging pipe: real clicks and keys, with the standard library."""

import base64
import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

NAMES = ('chromium', 'chromium-browser', 'google-chrome')
CODES = {'ArrowLeft': 37, 'ArrowUp': 38, 'ArrowRight': 39, 'ArrowDown': 40, 'Home': 36, 'End': 35}


def find_chromium() -> str | None:
    """Path of the browser, if there is one."""
    return next(filter(None, map(shutil.which, NAMES)), None)


class Browser:
    """A page in a window of 1366x768 px. A context manager.

    Messages are JSON texts with a NUL behind, on file descriptors 3 and 4 of the browser
    (``--remote-debugging-pipe``).
    """

    def __init__(self, path: str, profile: Path, size: tuple[int, int] = (1366, 768)) -> None:
        read_theirs, self._write = os.pipe()
        self._read, write_theirs = os.pipe()

        def number_pipes() -> None:
            # above 4 first: one of them may be 3 or 4 itself
            ends = [os.dup(end) for end in (read_theirs, write_theirs)]
            spare = [os.dup2(end, 20 + i) for i, end in enumerate(ends)]
            for target, end in enumerate(spare, 3):
                os.dup2(end, target)

        options = ['--headless=new', '--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage']
        options += ['--remote-debugging-pipe', '--no-first-run', f'--user-data-dir={profile}']
        options += ['--disable-background-networking', '--force-device-scale-factor=1']
        self._process = subprocess.Popen(
            [path, *options, f'--window-size={size[0]},{size[1]}', 'about:blank'],
            close_fds=False,
            preexec_fn=number_pipes,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(read_theirs)
        os.close(write_theirs)
        self._buffer, self._count, self._session = b'', 0, ''
        self.events: list[dict] = []
        target = self.send('Target.createTarget', url='about:blank')['targetId']
        attached = self.send('Target.attachToTarget', targetId=target, flatten=True)
        self._session = attached['sessionId']
        for domain in ('Page', 'Runtime', 'Network', 'Log'):
            self.send(f'{domain}.enable')
        self.send(
            'Emulation.setDeviceMetricsOverride',
            width=size[0],
            height=size[1],
            deviceScaleFactor=1,
            mobile=False,
        )

    def __enter__(self) -> 'Browser':
        return self

    def __exit__(self, *error: object) -> None:
        self._process.kill()
        self._process.wait()
        os.close(self._read)
        os.close(self._write)

    def _receive(self) -> dict:
        while b'\0' not in self._buffer:
            part = os.read(self._read, 1 << 20)
            if not part:
                raise RuntimeError('Chromium has ended')
            self._buffer += part
        text, self._buffer = self._buffer.split(b'\0', 1)
        return json.loads(text)

    def send(self, method: str, **params: Any) -> dict:
        """A command of the DevTools protocol and its result; events before it are kept."""
        self._count += 1
        message = dict(id=self._count, method=method, params=params)
        if self._session:
            message['sessionId'] = self._session
        os.write(self._write, json.dumps(message).encode() + b'\0')
        while (answer := self._receive()).get('id') != self._count:
            self.events.append(answer)
        if 'error' in answer:
            raise RuntimeError(f'{method}: {answer["error"]["message"]}')
        return answer['result']

    def open(self, file: Path) -> None:
        """Open a page and wait until it has loaded."""
        self.send('Page.navigate', url=file.resolve().as_uri())
        while not any(event.get('method') == 'Page.loadEventFired' for event in self.events):
            self.events.append(self._receive())

    def run(self, script: str) -> Any:
        """Value of a JavaScript expression."""
        result = self.send('Runtime.evaluate', expression=script, returnByValue=True)
        if 'exceptionDetails' in result:
            raise RuntimeError(result['exceptionDetails']['exception']['description'])
        return result['result'].get('value')

    def click(self, selector: str) -> None:
        """Click the middle of the first element that the selector finds."""
        x, y = self.run(
            f'(() => {{ const e = document.querySelector({json.dumps(selector)}); '
            "e.scrollIntoView({block: 'nearest'}); const b = e.getBoundingClientRect(); "
            'return [b.x + b.width / 2, b.y + b.height / 2]; })()'
        )
        for kind, buttons in (('mouseMoved', 0), ('mousePressed', 1), ('mouseReleased', 0)):
            self.send(
                'Input.dispatchMouseEvent',
                type=kind,
                x=x,
                y=y,
                button='none' if kind == 'mouseMoved' else 'left',
                buttons=buttons,
                clickCount=int(kind != 'mouseMoved'),
            )

    def press(self, key: str, shift: bool = False) -> None:
        """Press and release a key, 'ArrowRight' or 's'."""
        text = {} if len(key) > 1 else dict(text=key)
        code = CODES.get(key, ord(key[0].upper()))
        common = dict(key=key, windowsVirtualKeyCode=code, modifiers=8 * shift)
        self.send('Input.dispatchKeyEvent', type='keyDown', **common, **text)
        self.send('Input.dispatchKeyEvent', type='keyUp', **common)

    def screenshot(self, file: Path) -> None:
        """Write what is seen as PNG."""
        data = self.send('Page.captureScreenshot', format='png')['data']
        file.write_bytes(base64.b64decode(data))

    def errors(self) -> list[str]:
        """Exceptions and messages of the console's error level so far."""
        self.run('0')
        found = []
        for event in self.events:
            params = event.get('params', {})
            if event.get('method') == 'Runtime.exceptionThrown':
                found.append(params['exceptionDetails'].get('exception', {}).get('description', ''))
            elif event.get('method') == 'Log.entryAdded' and params['entry']['level'] == 'error':
                found.append(params['entry']['text'])
        return found

    def requests(self) -> list[str]:
        """Addresses that were asked for, pictures in the page left out."""
        asked = [
            event for event in self.events if event.get('method', '') == 'Network.requestWillBeSent'
        ]
        urls = [event['params']['request']['url'] for event in asked]
        return [url for url in urls if not url.startswith('data:')]
