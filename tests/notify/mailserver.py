"""A mail server over real SMTP: STARTTLS, AUTH PLAIN, strict about addresses and line lengths, and able to refuse at any step."""

from __future__ import annotations

import base64
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from pathlib import Path
from socketserver import StreamRequestHandler, ThreadingTCPServer
from typing import cast

LINE_MAX = 998
"""RFC 5321, 4.5.3.1.6, without the line's end."""
ENDS = "drop"
"""Instead of a reply: the connection is closed."""


@dataclass
class MailServer:
    port: int = 0
    replies: Mapping[str, str] = field(default_factory=dict)
    """By command (``MAIL``, ``RCPT``, ``DATA``, ``BODY``…) what is answered instead of yes."""
    tls: ssl.SSLContext | None = None
    password: str = ""
    wait_s: float = 0.0
    mails: list[tuple[str, str, bytes]] = field(default_factory=list)
    """Sender, recipient, content."""
    secure: list[bool] = field(default_factory=list)
    """Of each of them whether it came over TLS."""

    def mail(self, number: int = 0) -> EmailMessage:
        return cast("EmailMessage", message_from_bytes(self.mails[number][2], policy=default))


def certificate(folder: Path) -> Path:
    """A file with a key and a certificate for 127.0.0.1, which nobody has signed but itself."""
    file = folder / "mail.pem"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1"),
            *("-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(folder / "key"), "-out", str(folder / "crt")),
        ],
        check=True,
        capture_output=True,
    )
    file.write_text((folder / "key").read_text() + (folder / "crt").read_text())
    return file


def context_of(file: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    return context


class _Session(StreamRequestHandler):
    def handle(self) -> None:
        self.over_tls, self.known, self.sender, self.to = False, False, "", ""
        with suppress(OSError, ssl.SSLError):
            if not self._say(self._reply("HELLO", "220 mail.example")):
                return
            while line := self.rfile.readline(2_000):
                time.sleep(self.mail.wait_s)
                word, _, rest = line.decode("ascii", "replace").strip().partition(" ")
                if not self._do(word.upper(), rest):
                    return

    @property
    def mail(self) -> MailServer:
        return cast("_Server", self.server).mail

    def _reply(self, word: str, yes: str) -> str:
        return self.mail.replies.get(word, yes)

    def _say(self, reply: str) -> bool:
        if reply == ENDS:
            return False
        self.wfile.write(f"{reply}\r\n".encode())
        self.wfile.flush()
        return True

    def _do(self, word: str, rest: str) -> bool:
        if word == "EHLO":
            offers = ["mail.example", *(["STARTTLS"] if self.mail.tls and not self.over_tls else [])]
            offers += ["AUTH PLAIN"] if self.mail.password else []
            return self._say("\r\n".join([*(f"250-{o}" for o in offers), "250 SIZE 1000000"]))
        if word == "STARTTLS":
            return self._start_tls()
        if word == "AUTH":
            given = base64.b64decode(rest.partition(" ")[2]).split(b"\0")[-1].decode()
            self.known = given == self.mail.password
            return self._say(self._reply(word, "235 in" if self.known else f"535 not {given}"))
        if word == "MAIL":
            self.sender = rest.partition("<")[2].partition(">")[0]
            known = self.known or not self.mail.password
            return self._say(self._reply(word, "250 go on" if known else "530 who are you"))
        if word == "RCPT":
            self.to = rest.partition("<")[2].partition(">")[0]
            return self._say(self._reply(word, self._reply(self.to, "250 go on")))
        if word == "DATA":
            return self._data()
        return self._say("221 bye" if word == "QUIT" else "250 all right") and word != "QUIT"

    def _start_tls(self) -> bool:
        assert self.mail.tls is not None
        self._say("220 go on")
        self.connection = self.mail.tls.wrap_socket(self.connection, server_side=True)
        self.rfile, self.wfile = self.connection.makefile("rb"), self.connection.makefile("wb")  # type: ignore[assignment]
        self.over_tls = True
        return True

    def finish(self) -> None:
        # The socket that the server closes is the one from before STARTTLS.
        super().finish()
        self.connection.close()

    def _data(self) -> bool:
        refused = self._reply("DATA", "")
        if refused:
            return self._say(refused)
        self._say("354 send")
        lines = []
        while (line := self.rfile.readline()) not in (b".\r\n", b""):
            assert len(line.rstrip(b"\r\n")) <= LINE_MAX
            lines.append(line.removeprefix(b".") if line.startswith(b"..") else line)
        if self._reply("BODY", "250") in ("250", ENDS):
            self.mail.mails.append((self.sender, self.to, b"".join(lines)))
            self.mail.secure.append(self.over_tls)
        return self._say(self._reply("BODY", "250 taken"))


class _Server(ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    mail: MailServer


@contextmanager
def serving(mail: MailServer) -> Iterator[MailServer]:
    with _Server(("127.0.0.1", 0), _Session) as server:
        server.mail, mail.port = mail, server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield mail
        finally:
            server.shutdown()
            thread.join()
