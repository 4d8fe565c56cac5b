"""Documents of YAML and JSON as Kubernetes reads them, one after the other.

Called by `planner.manifests`. Text that begins as JSON does is read as JSON; what then is none, as YAML. Nothing that a
text says makes reading it costly: depth, aliases and sizes are looked at first.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, ClassVar, Final

import yaml

from coder_enterprise.planner.faults import Fault, FaultError, Origin
from coder_enterprise.planner.json_documents import MAX_DEPTH, json_documents
from coder_enterprise.planner.scalars import BOOLEANS, for_reading, integer

MAX_NODES: Final = 5_000_000
"""Of one document with its aliases written out."""
MAX_DEPTH_UNSEEN: Final = 10_000
"""Characters: a shorter text cannot be nested so deeply that it does harm."""
_NOTES: Final = re.compile(r"^NOTES:[ \t]*$.*", re.MULTILINE | re.DOTALL)
"""What Helm says after the manifests, and what is no YAML."""


class _Loader(yaml.CSafeLoader):
    """Reads plain scalars as Kubernetes does, and makes nothing that JSON has not."""

    bool_values: ClassVar[dict[str, bool]] = BOOLEANS
    yaml_constructors: ClassVar[dict[Any, Any]] = {
        tag: constructor
        for tag, constructor in yaml.CSafeLoader.yaml_constructors.items()
        if tag is None or tag.rpartition(":")[2] in ("null", "bool", "int", "float", "str", "seq", "map")
    }
    yaml_implicit_resolvers: dict[str, Any] = for_reading(yaml.CSafeLoader.yaml_implicit_resolvers)


def _integer(loader: _Loader, node: yaml.ScalarNode) -> int:
    try:
        return integer(str(loader.construct_scalar(node)))
    except ValueError:
        raise yaml.constructor.ConstructorError(None, None, "a number has too many digits", node.start_mark) from None


_Loader.add_constructor("tag:yaml.org,2002:int", _integer)


def documents(file: str, text: str, faults: list[Fault]) -> Iterator[tuple[Origin, Any]]:
    """What can be read before the first fault, with where it begins."""
    text = _NOTES.sub("", text)
    try:
        read = json_documents(file, text) if text.lstrip().startswith("{") else None
    except FaultError as error:
        faults.append(error.fault)
        return
    yield from _yaml_documents(file, text, faults) if read is None else read


def _yaml_documents(file: str, text: str, faults: list[Fault]) -> Iterator[tuple[Origin, Any]]:
    loader = _Loader(text)
    try:
        if len(text) > MAX_DEPTH_UNSEEN:
            _check_depth(text, file)
        while loader.check_node():
            node = loader.get_node()
            assert node is not None  # check_node says so
            origin = Origin(file, node.start_mark.line + 1)
            _check(node, file, {})
            yield origin, loader.construct_document(node)
    except FaultError as error:
        faults.append(error.fault)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        faults.append(Fault(Origin(file, mark.line + 1 if mark else 1), _explained(error, text)))
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        faults.append(Fault(Origin(file, 1), f"is no YAML: {str(error).splitlines()[0]}"))
    finally:
        loader.dispose()


def _check_depth(text: str, file: str) -> None:
    """The loader calls itself for each level, in C, where nothing stops it."""
    depth = 0
    for event in yaml.parse(text, Loader=_Loader):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > MAX_DEPTH:
            line = event.start_mark.line + 1 if event.start_mark else 1
            raise FaultError(Fault(Origin(file, line), "is nested too deeply"))


def _explained(error: yaml.MarkedYAMLError, text: str) -> str:
    hint = "; it is a Helm template: pipe `helm template` into this command" if "{{" in text else ""
    return f"is no YAML: {error.problem or error.context}{hint}"


def _check(node: Any, file: str, sizes: dict[int, int]) -> int:
    """The number of nodes with aliases written out. Raises for too many, and for a key that is there twice, of which
    one would be dropped without a word."""
    if id(node) in sizes:
        if not sizes[id(node)]:
            raise FaultError(Fault(Origin(file, node.start_mark.line + 1), "an alias is within what it names"))
        return sizes[id(node)]
    sizes[id(node)] = 0
    size = 1
    if isinstance(node, yaml.SequenceNode):
        size += sum(_check(item, file, sizes) for item in node.value)
    elif isinstance(node, yaml.MappingNode):
        keys: set[str] = set()
        for key, value in node.value:
            name = key.value if isinstance(key, yaml.ScalarNode) else ""
            if name in keys and name != "<<":
                raise FaultError(Fault(Origin(file, key.start_mark.line + 1), f"the key {name!r} is there twice"))
            keys.add(name)
            size += 1 + _check(value, file, sizes)
    if size > MAX_NODES:
        raise FaultError(Fault(Origin(file, node.start_mark.line + 1), "its aliases make it too large"))
    sizes[id(node)] = size
    return size
