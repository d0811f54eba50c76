"""Our programs as processes: started, killed, stopped, and their logs read for what must not be there."""
import os
import pathlib
import re
import signal
import subprocess

AT, LEVEL = r"\d{4}-\d\d-\d\dT[\d:.]+Z", r"(?P<level>error|warn|info|debug)"
LINES = (re.compile(rf"^(?:<\d>)?{AT} {LEVEL} (?:server|worker) "),
         re.compile(rf'^(?:<\d>)?{{"at":"{AT}","level":"{LEVEL}","program":"(?:server|worker)",.*}}$'))
STOP_S = 30


class Program:
    def __init__(self, path, environment, log):
        self.path, self.environment, self.log = pathlib.Path(path), environment, pathlib.Path(log)
        self.process, self.read_to, self.log_offset = None, 0, 0
        self.log.touch()

    def __repr__(self):
        return self.path.name

    def start(self):
        assert not self.is_running()
        with self.log.open("ab") as log:
            self.process = subprocess.Popen([self.path], env=self.environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            start_new_session=True)

    def is_running(self):
        return self.process is not None and self.process.poll() is None

    @property
    def pid(self):
        return self.process.pid

    def children(self):
        try:
            return [int(pid) for pid in pathlib.Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()]
        except FileNotFoundError:
            return []

    def children_peak_mib(self):
        """The most memory that one of its children has had at a time."""
        lines = [line for child in self.children() for line in pathlib.Path(f"/proc/{child}/status").read_text().splitlines()]
        return max(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024

    def signal(self, number):
        os.kill(self.pid, number)

    def stop(self):
        """SIGTERM, and the exit code that follows it."""
        if self.is_running():
            self.signal(signal.SIGTERM)
        try:
            return self.process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"{self} did not stop within {STOP_S} s\n{self.text()}") from None

    def kill(self):
        """kill -9 for the supervisor and all of its children, as when a machine dies."""
        for pid in [self.pid, *self.children()]:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        self.process.wait()

    def text(self):
        return self.log.read_text(errors="replace")

    def new_lines(self):
        text = self.text()
        lines, self.read_to = text[self.read_to:], len(text)
        return lines.splitlines()

    def bad_lines(self, allowed=()):
        """New lines of level error, and whatever is not a log line at all: sanitizers, asserts, libraries."""
        bad = []
        for line in self.new_lines():
            match = LINES[0].match(line) or LINES[1].match(line)
            if (not match or match["level"] == "error") and not any(re.search(pattern, line) for pattern in allowed):
                bad.append(line)
        return bad
