"""How commands work with a cluster: its options, one connection, and one line for whatever goes wrong.

Exit codes of all of them: 0 done; 1 it could not be done; 2 it was asked in a wrong way; 130 after Ctrl-C. A command
whose answer is itself a verdict has 3 for the bad one.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, NamedTuple, NoReturn, TypeVar

import typer

from coder_enterprise.cli import names, screen
from coder_enterprise.cli.completion import complete_namespace, complete_target

if TYPE_CHECKING:
    from coder_enterprise.cluster.client import KubernetesClient
    from coder_enterprise.oncall.objects import Kinds

T = TypeVar("T")

NOT_WELL: Final = 3
"""Exit code: the answer is that something is not as it should be."""
INTERRUPTED: Final = 130

Namespace = Annotated[
    str | None,
    typer.Option(
        "--namespace",
        "-n",
        help="Default: that of the kubeconfig's context.",
        autocompletion=complete_namespace,
        callback=names.namespace,
    ),
]
AllNamespaces = Annotated[bool, typer.Option("--all-namespaces", "-A", help="In all namespaces.")]
Target = Annotated[str, typer.Argument(metavar="KIND/NAME", autocompletion=complete_target)]
Targets = Annotated[list[str], typer.Argument(metavar="KIND/NAME...", autocompletion=complete_target)]


class Output(StrEnum):
    TEXT = "text"
    JSON = "json"


OutputOption = Annotated[Output, typer.Option("--output", "-o", help="What to print.")]


class Connection(NamedTuple):
    client: KubernetesClient
    kinds: Kinds
    namespace: str
    """The one that was named, or the context's."""


def run(
    command: typer.Context,
    work: Callable[[Connection], Coroutine[Any, Any, T]],
    kubeconfig: Path | None,
    context: str | None,
    namespace: str | None = None,
) -> T:
    """Do that with a connection. Ends the command with one line where it cannot be done."""

    async def with_kinds(client: KubernetesClient, found: str) -> T:
        from coder_enterprise.oncall.objects import discover

        return await work(Connection(client, await discover(client), namespace or found))

    return run_plain(command, with_kinds, kubeconfig, context)


def run_plain(
    command: typer.Context,
    work: Callable[[KubernetesClient, str], Coroutine[Any, Any, T]],
    kubeconfig: Path | None,
    context: str | None,
) -> T:
    """The same on a cluster that may not have our kinds; `work` gets the client and the context's namespace."""

    async def main() -> T:
        from coder_enterprise.cluster.client import KubernetesClient
        from coder_enterprise.cluster.kubeconfig import access

        found = await access(kubeconfig, context)
        async with KubernetesClient(found.settings, "coder-enterprise") as client:
            return await work(client, found.namespace)

    return guarded(command, main)


def guarded(command: typer.Context, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Run it; every error is one line, with a hint. With `--debug` a traceback goes before that line."""
    import asyncio

    with told(command):
        return asyncio.run(work())


@contextmanager
def told(command: typer.Context) -> Iterator[None]:
    """The same for what needs no event loop, and must not be in one: that keeps the first Ctrl-C to itself until what
    runs in it waits."""
    from coder_enterprise.client.errors import OperatorError
    from coder_enterprise.cluster.errors import KubernetesError
    from coder_enterprise.oncall.errors import CannotDo, hint_for

    try:
        yield
    except KeyboardInterrupt:
        screen.say(f"{command.command_path}: interrupted")
        raise typer.Exit(INTERRUPTED) from None
    except CannotDo as error:
        _debug(command)
        fail(command, str(error), error.hint)
    except KubernetesError as error:
        _debug(command)
        fail(command, str(error), hint_for(error))
    except OperatorError as error:
        _debug(command)
        fail(command, error.message)
    except (typer.Exit, BrokenPipeError):  # the reader of the output has seen enough
        raise
    except OSError as error:  # such as a disk that is full, where the output goes
        _debug(command)
        fail(command, str(error))
    except Exception as error:  # noqa: BLE001 - a fault of this program; whoever wants to report it asks for more
        _debug(command)
        fail(command, f"{type(error).__name__}: {error}", "a fault of this command; --debug before it shows where")


def agreed(question: str) -> bool:
    """What somebody answers; nobody there is no. Ends the command after Ctrl-C. Not to be asked in an event loop, which
    keeps the first Ctrl-C to itself."""
    try:
        return typer.confirm(question, err=True)
    except typer.Abort as abort:
        if isinstance(abort.__context__, KeyboardInterrupt):
            raise typer.Exit(INTERRUPTED) from None
        return False


def fail(command: typer.Context, message: str, hint: str = "") -> NoReturn:
    """Ends the command with 1, and a line that says why and what to do."""
    text = f"{command.command_path}: {screen.clean(message)}"
    screen.say(f"{text} ({hint})" if hint else text)
    raise typer.Exit(1)


def _debug(command: typer.Context) -> None:
    if (command.find_root().params or {}).get("debug"):
        import traceback

        traceback.print_exc()
