"""What is wrong with the files of a kubeconfig, in words: the library that loads them answers most mistakes with an
error of Python's.

Asked by `cluster.kubeconfig` before it has them loaded. It starts no plugin, and shows nothing of a file but names.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import yaml
from pydantic import BaseModel, Field, ValidationError

from coder_enterprise.kinds.machinery.texts import enumerated

MAX_NAMES: Final = 5
MAX_HINT: Final = 200
_NO_FIELDS: Final = {type(None): "nothing", list: "a list", str: "text"}


class Mistake(Exception):
    """Says in which file, and what to do."""


class Exec(BaseModel):
    command: str = ""
    hint: str | None = Field(None, alias="installHint")


class Cluster(BaseModel):
    server: str = ""


class User(BaseModel):
    exec: Exec | None = None


class Context(BaseModel):
    cluster: str = ""
    user: str = ""
    namespace: str | None = None


class NamedCluster(BaseModel):
    name: str
    cluster: Cluster | None = None


class NamedUser(BaseModel):
    name: str
    user: User | None = None


class NamedContext(BaseModel):
    name: str
    context: Context | None = None


class Kubeconfig(BaseModel):
    current: str | None = Field(None, alias="current-context")
    clusters: list[NamedCluster] | None = None
    users: list[NamedUser] | None = None
    contexts: list[NamedContext] | None = None


def chosen(paths: Sequence[Path], context: str | None) -> str | None:
    """The context to use: that one, or the current one. None where that shows only when the files are loaded, as with a
    pipe, which can be read once. Raises `Mistake`."""
    if any(path.exists() and not path.is_file() and not path.is_dir() for path in paths):
        return context
    files = [_read(path) for path in paths]
    where = ", ".join(map(str, paths))
    contexts = {item.name: item.context or Context() for item in _first_of_each(file.contexts for file in files)}
    name = context or next(filter(None, (file.current for file in files)), None)
    there = enumerated(list(contexts), MAX_NAMES)
    if name is None or name not in contexts:
        what = "names no current-context" if name is None else f"has no context {name}"
        step = f"choose with --context: {there}" if there else "it has none at all: name another with --kubeconfig"
        raise Mistake(f"{where} {what}; {step}")
    mistake = _in_context(contexts[name], files)
    if mistake:
        raise Mistake(f"{where}: the context {name} {mistake}, or choose another one with --context")
    return name


def _in_context(context: Context, files: Sequence[Kubeconfig]) -> str:
    """What is wrong with it, and what to do; "" for nothing."""
    clusters = {item.name: item.cluster or Cluster() for item in _first_of_each(file.clusters for file in files)}
    users = {item.name: item.user or User() for item in _first_of_each(file.users for file in files)}
    if context.cluster not in clusters:
        return f"names the cluster {context.cluster!r}, which is not there; name one that is"
    server = clusters[context.cluster].server
    if not _is_url(server):
        return f"names the cluster {context.cluster}, whose server is no URL; write https://host:port there"
    if context.user not in users and (context.user or server.startswith("https:")):
        return f"names the user {context.user!r}, who is not there; name one who is"
    plugin = users.get(context.user, User()).exec
    if plugin is not None and shutil.which(plugin.command) is None:
        hint = " ".join((plugin.hint or "").split())[:MAX_HINT]
        return f"needs the program {plugin.command!r}, which is not there; install it{f' ({hint})' if hint else ''}"
    return ""


def _read(path: Path) -> Kubeconfig:
    try:
        body = yaml.safe_load(path.read_text())
    except OSError as error:
        raise Mistake(f"{path} cannot be read: {error.strerror}; name another with --kubeconfig") from None
    except UnicodeDecodeError:
        raise _no_kubeconfig(path, "it is no text") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        raise _no_kubeconfig(path, f"line {mark.line + 1} is no YAML" if mark else "it is no YAML") from None
    if not isinstance(body, dict):
        raise _no_kubeconfig(path, f"it holds {_NO_FIELDS.get(type(body), 'a value')}, and no fields")
    try:
        return Kubeconfig.model_validate(body)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        field = ".".join(map(str, first["loc"]))
        raise _no_kubeconfig(path, f"{field}: {first['msg']}") from None


def _no_kubeconfig(path: Path, why: str) -> Mistake:
    return Mistake(f"{path} is no kubeconfig: {why}; mend it, or name another with --kubeconfig")


def _first_of_each(parts: Iterable[Sequence[Any] | None]) -> Iterable[Any]:
    """Of what has the same name."""
    found: dict[str, Any] = {}
    for part in parts:
        for item in part or ():
            found.setdefault(item.name, item)
    return found.values()


def _is_url(text: str) -> bool:
    try:
        parts = urlsplit(text)
        return parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
