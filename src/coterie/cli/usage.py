"""How commands show what they take: names as one types them, without braces, and no types where a name says enough."""

from typing import Any

from typer.core import TyperArgument, TyperCommand, TyperGroup


def _untyped(params: list[Any]) -> list[Any]:
    """The same parameters; arguments and flags show no type in the help."""
    for param in params:
        if isinstance(param, TyperArgument) or getattr(param, "is_flag", False):
            param.display_type_rich = lambda ctx: None  # noqa: ARG005 - what typer calls
    return params


class Command(TyperCommand):
    """A command whose usage reads `coterie compare [OPTIONS] FOLDER...`."""

    def get_params(self, ctx: Any) -> list[Any]:
        """All parameters, the help option too."""
        return _untyped(super().get_params(ctx))

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        """What stands behind the command's name."""
        arguments = [param for param in super().get_params(ctx) if isinstance(param, TyperArgument)]
        return ["[OPTIONS]", *map(_piece, arguments)]


class Group(TyperGroup):
    """All commands together."""

    def get_params(self, ctx: Any) -> list[Any]:
        """All parameters, the help option too."""
        return _untyped(super().get_params(ctx))


def _piece(argument: TyperArgument) -> str:
    name = argument.metavar or (argument.name or "").upper()
    shown = name if argument.required or name.startswith("[") else f"[{name}]"
    return shown if argument.nargs == 1 else f"{shown}..."
