"""Two homes with phones, and the phones: linphone's console and baresip, driven by what a person types.

There is no sound card: linphone plays a file for a microphone and records what it hears, baresip makes a tone
and keeps what it hears. Which tone is in a recording tells who was heard, and how well.
"""

from __future__ import annotations

import math
import os
import re
import struct
import subprocess
import tempfile
import wave
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from dexsetup.render.jinja import JinjaRenderer
from dexsetup.steps.firewall import mesh_ports
from neighbourhood import Home, wait_until
from two_homes import ANN, BEN, Person, TwoHomes

__all__ = ["CallingHomes", "Phone", "running", "tone_file", "tone_share"]

_RATE = 16000
_GUARD = "nftables/guard.nft.j2"
_SECONDS = 30.0
_OUTSIDE = {ANN: "2001:db8:a::2", BEN: "2001:db8:b::2"}
"""A public IPv6 address of each home, with a default route: what must not be told to the other one."""
_AUDIBLE = 300
"""Root mean square, of 32768, from which on there is something to hear."""
_PURE = 0.7
"""Part of the power of a piece that is the tone's, in a piece that counts for the tone."""
_PIECES_A_SECOND = 20
_HEARD_SECONDS = 2
_HEARD = 0.5
"""Part of what can be heard that has to be the tone; of another tone, it is nothing."""
_RECORDED_BYTES = 250_000
"""Two and a half seconds at 48 kHz."""
_BARESIP_WITHOUT_SOUND = """\
module ausine.so
module aubridge.so
module sndfile.so
audio_source ausine,{tone}
audio_player aubridge,nobody
snd_path /tmp
"""
"""What a person without a sound card has in ~/.baresip/config before dexsetup comes."""


def tone_file(frequency: int, seconds: float = 20.0) -> bytes:
    """Return a WAV file with a sine tone."""
    count = int(_RATE * seconds)
    samples = (int(8000 * math.sin(2 * math.pi * frequency * n / _RATE)) for n in range(count))
    with tempfile.TemporaryFile() as file:
        with wave.open(file, "wb") as sound:
            sound.setparams((1, 2, _RATE, count, "NONE", "not compressed"))
            sound.writeframes(struct.pack(f"<{count}h", *samples))
        file.seek(0)
        return file.read()


def tone_share(sound: bytes, frequency: int) -> float:
    """Return which part of what can be heard at the end of a recording is this tone, from 0 to 1.

    Piece by piece, for a busy machine loses some of the sound, and the tone goes on with another phase then.
    0 where next to nothing can be heard, and for a recording that is not finished: its head is written last.
    """
    place = sound.find(b"data") + 8
    channels, rate = struct.unpack_from("<HI", sound, 22) if len(sound) > place else (0, 0)
    if not channels:
        return 0.0
    frames = (len(sound) - place) // (2 * channels)
    values = struct.unpack_from(f"<{frames * channels}h", sound, place)[::channels][-_HEARD_SECONDS * rate :]
    size = rate // _PIECES_A_SECOND
    pieces = [values[start : start + size] for start in range(0, len(values) - size + 1, size)]
    audible = [piece for piece in pieces if math.sqrt(_power(piece)) > _AUDIBLE]
    pure = sum(_tone_power(piece, frequency / rate) > _PURE * _power(piece) for piece in audible)
    return pure / len(audible) if len(audible) >= _PIECES_A_SECOND // 2 else 0.0


def _power(values: Sequence[int]) -> float:
    return sum(value * value for value in values) / len(values)


def _tone_power(values: Sequence[int], turns: float) -> float:
    """Return the power of the part that turns so often from one value to the next."""
    angle = 2 * math.pi * turns
    real = sum(value * math.cos(angle * n) for n, value in enumerate(values)) / len(values)
    imaginary = sum(value * math.sin(angle * n) for n, value in enumerate(values)) / len(values)
    return 2 * (real**2 + imaginary**2)


class CallingHomes(TwoHomes):
    """The two homes, set up for calls instead of mail."""

    def answers_for(self, person: Person) -> str:
        """Return the answers: a node, the public node as peer, and both phones."""
        text = super().answers_for(person)
        node = text[: text.index("[firewall]")]
        return f"""{node}
[phone]
enable = true

[[user]]
login = "{person.login}"
files = ["mailrc", "linphonerc", "baresip"]
"""

    def add_home(self, person: Person, kind: type[Home] = Home) -> Home:
        """Build the home, with an Internet address that is nobody's business, and no sound card."""
        home = super().add_home(person, kind)
        home.ip(f"addr add {_OUTSIDE[person]}/64 dev eth0 nodad", "route add ::/0 dev eth0")
        return home

    def guard(self, person: Person) -> None:
        """Let in from the mesh what dexsetup opens for calls, and nothing else."""
        rules = JinjaRenderer().render(_GUARD, device="cjdns0", ports=mesh_ports(("cjdns-sip",)))
        self.home_of(person).run("nft", "-f", "-", stdin=rules.decode())

    def prepare_baresip(self, person: Person, tone: int) -> None:
        """Give the person what stands for a sound card, before dexsetup comes."""
        home = self.home_of(person)
        text = _BARESIP_WITHOUT_SOUND.format(tone=tone)
        home.run(
            "sh", "-c", "umask 077; mkdir ~/.baresip; cat >~/.baresip/config", stdin=text, login=person.login
        )

    def give_tone(self, person: Person, frequency: int) -> None:
        """Put a tone to play into the home."""
        command = self.home_of(person).command(["sh", "-c", "cat >/tmp/tone.wav"])
        subprocess.run(command, input=tone_file(frequency), check=True)

    def sip_address(self, person: Person) -> str:
        """Return the address to dial."""
        return f"sip:{person.login}@[{self.address_of(person)}]"


@dataclass(slots=True)
class Phone:
    """A running phone of a person, which takes commands as they are typed."""

    homes: CallingHomes
    person: Person
    program: str
    process: subprocess.Popen[bytes]
    log: IO[bytes]

    @property
    def said(self) -> str:
        """What it has printed so far; with that, every SIP message that it sent or received."""
        return os.pread(self.log.fileno(), os.fstat(self.log.fileno()).st_size, 0).decode(errors="replace")

    def type(self, line: str) -> int:
        """Type a line; returns where what it says from now on begins."""
        since = len(self.said)
        assert self.process.stdin is not None
        self.process.stdin.write(f"{line}\n".encode())
        self.process.stdin.flush()
        return since

    def wait_for(self, pattern: str, *, since: int = 0) -> re.Match[str]:
        """Wait until it prints something; returns the match."""
        found: list[re.Match[str]] = []

        def is_there() -> bool:
            found.extend(re.finditer(pattern, self.said[since:]))
            return bool(found)

        try:
            wait_until(is_there, what=f"{pattern!r} from {self.person.login}", seconds=_SECONDS)
        except TimeoutError as error:
            raise TimeoutError(f"{error}; it said:\n{self.said[since:][-6000:]}") from error
        return found[0]

    def recording(self, pattern: str) -> bytes:
        """Return the newest file of this name in the home's /tmp; nothing if there is none yet."""
        place = Path(f"/proc/{self.homes.home_of(self.person).pid}/root/tmp")
        found = max(place.glob(pattern), key=lambda path: path.stat().st_mtime_ns, default=None)
        return b"" if found is None else found.read_bytes()

    def wait_for_sound(self, pattern: str) -> None:
        """Wait until some seconds are recorded."""
        what = f"a recording {pattern} of {self.person.login}"
        wait_until(lambda: len(self.recording(pattern)) > _RECORDED_BYTES, what=what, seconds=_SECONDS)

    def wait_for_tone(self, pattern: str, frequency: int) -> None:
        """Wait until a recording that has ended holds this tone and little else."""
        share = 0.0

        def is_heard() -> bool:
            nonlocal share
            share = tone_share(self.recording(pattern), frequency)
            return share > _HEARD

        try:
            wait_until(is_heard, what=f"{frequency} Hz for {self.person.login}", seconds=10)
        except TimeoutError as error:
            raise TimeoutError(f"{error}: {share:.0%} of what is heard") from error

    @property
    def media_addresses(self) -> set[str]:
        """Every address that it told or was told for sound."""
        return set(re.findall(r"^c=IN IP[46] (\S+?)\r*$", self.said, re.MULTILINE))

    @property
    def told(self) -> str:
        """Every line of the messages that names an address of the sender."""
        lines = re.findall(r"^(?:Via|From|Contact|Route|o=|c=|a=candidate).*$", self.said, re.MULTILINE)
        return "\n".join(lines)

    @property
    def sockets(self) -> set[tuple[str, str]]:
        """The (address, port) that it listens on with UDP."""
        shown = self.homes.home_of(self.person).run("ss", "-lunpH")
        own = (line.split()[3] for line in shown.splitlines() if f'"{self.program}"' in line)
        places = (place.rpartition(":") for place in own)
        return {(address.strip("[]"), port) for address, _, port in places}


@contextmanager
def running(homes: CallingHomes, person: Person, *argv: str) -> Iterator[Phone]:
    """Run a phone as the person; whatever happens, it has ended afterwards."""
    environment = {
        "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
        "LC_ALL": "C.UTF-8",
        "LOGNAME": person.login,
    }
    command = homes.home_of(person).command(argv, login=person.login)
    with (
        tempfile.TemporaryFile() as log,
        subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=log, stderr=subprocess.STDOUT, env=environment
        ) as process,
    ):
        try:
            yield Phone(homes, person, argv[0], process, log)
        finally:
            # nsenter waits for the phone, so the phone has to be ended, inside its home.
            homes.home_of(person).run("pkill", "-KILL", "-x", "-u", person.login, argv[0], allowed=(0, 1))
