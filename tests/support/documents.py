"""The code blocks of a document, and what runs them as their reader would."""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx

PROJECT = Path(__file__).resolve().parents[2]
_BLOCK = re.compile(r"^```([\w-]*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_HEREDOC = re.compile(r"<<'(\w+)'\s*$")
# These are for a terminal, and change nothing of what is sent.
_SHOWING = {"-s", "-sN", "-N"}


@dataclass(frozen=True)
class Block:
    """One fenced block: its language, as the document names it, and its text."""

    language: str
    text: str


@dataclass(frozen=True)
class Command:
    """One command of a console block, what is typed into it, and what the document shows of it."""

    line: str
    typed: str
    shown: str


def blocks(document: str) -> list[Block]:
    """Return the fenced blocks of a document, named by its path below the project."""
    text = (PROJECT / document).read_text(encoding="utf-8")
    return [Block(language, body) for language, body in _BLOCK.findall(text)]


def block(document: str, language: str, containing: str) -> str:
    """Return the one block of this language that contains this."""
    (found,) = (
        each.text
        for each in blocks(document)
        if each.language == language and containing in each.text
    )
    return found


def commands(document: str) -> list[Command]:
    """Return the commands of all console blocks, in their order."""
    consoles = [each.text for each in blocks(document) if each.language == "console"]
    return [command for text in consoles for command in _commands(text)]


def _commands(console: str) -> Iterator[Command]:
    lines = iter(console.splitlines())
    line = next(lines, None)
    while line is not None:
        assert line.startswith("$ "), f"a console block begins with a command, not with {line!r}"
        command = line[2:]
        while not _is_complete(command):
            command += "\n" + next(lines)
        typed: list[str] = []
        if heredoc := _HEREDOC.search(command):
            while (line := next(lines)) != heredoc[1]:
                typed.append(line)
        shown: list[str] = []
        while (line := next(lines, None)) is not None and not line.startswith("$ "):
            shown.append(line)
        yield Command(command, "\n".join(typed), "\n".join(shown))


def _is_complete(command: str) -> bool:
    try:
        shlex.split(command)
    except ValueError:  # a quotation that is still open
        return False
    return not command.endswith("\\")


def says(shown: str, real: str) -> bool:
    """Whether what a document shows is what came: ``…`` stands for anything, also for nothing."""
    pattern = ".*".join(re.escape(part) for part in shown.strip().split("…"))
    return re.fullmatch(pattern, real.strip(), re.DOTALL) is not None


def run_curl(command: str, address: str) -> str:
    """Send what a ``curl`` command says to another address than port 8000; return the answer."""
    words = iter(shlex.split(command.replace("\\\n", " ")))
    assert next(words) == "curl"
    method, headers, body, named = "", {}, None, ""
    for word in words:
        if word == "-X":
            method = next(words)
        elif word == "-H":
            name, _, value = next(words).partition(": ")
            headers[name] = value
        elif word == "-d":
            body = next(words)
        elif word not in _SHOWING:
            assert not word.startswith("-"), f"what does curl do with {word}?"
            named = word
    method = method or ("GET" if body is None else "POST")
    target = f"http://{named}".replace("localhost:8000", address)
    return httpx.request(method, target, headers=headers, content=body, timeout=60).text
