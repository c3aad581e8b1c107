"""`coterie federation …`: the authority of a federation of real nodes."""

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from coterie.cli.arguments import AsJson, ScenarioFile, Sets, settings
from coterie.cli.outcome import INTERRUPTED, outcome
from coterie.cli.usage import Command, Group

if TYPE_CHECKING:
    from coterie.runtime.authority import Authority

HOME = Path("federation")
Home = Annotated[Path, typer.Option("--folder", metavar="FOLDER", help="The authority's folder, for its owner's eyes only.")]
Name = Annotated[str, typer.Argument(metavar="NAME", help="The member's name.", show_default=False)]
HEX = 16

app = typer.Typer(cls=Group, no_args_is_help=True, help="Make a federation of real nodes, invite its members, cut them off.")


@app.command(cls=Command)
def init(
    scenario: ScenarioFile,
    *,
    address: Annotated[str, typer.Option(metavar="HOST:PORT", help="Where `coterie federation serve` can be reached by joiners.")],
    folder: Home = HOME,
    sets: Sets = None,
) -> None:
    """Make a federation for a SCENARIO: its id, its authority's key and certificate. The key stays in the folder."""
    with outcome():
        from coterie.core.errors import ScenarioError
        from coterie.runtime.addresses import parsed
        from coterie.runtime.authority import Authority
        from coterie.runtime.simulated_only import faults
        from coterie.scenario.reading import read
        from coterie.scenario.scenario import Scenario

        parsed(address, "--address")
        chosen = read(scenario, sets=settings(sets)).scenario
        if chosen.nodes is None:
            raise ScenarioError.at("nodes", "a federation of real nodes says how many there are", "write nodes: N")
        if chosen.attacks:
            raise ScenarioError.at("attacks", "are played in simulations only", "leave them out; `coterie run` plays them")
        if found := list(faults(chosen)):
            raise ScenarioError(*found)
        portable = {key: value for key, value in chosen.resolved().items() if key != "folder"}
        try:
            wire = Scenario.of(portable, trusted=False)
        except ScenarioError as error:
            raise ScenarioError(*error.faults) from None
        authority = Authority.init(folder, name=chosen.name, nodes=chosen.nodes, scenario=wire.yaml(), address=address)
        typer.echo(f"Federation {authority.state.federation[:HEX]}… of {chosen.nodes} nodes is in {folder}/.")
        typer.echo(f"{folder}/authority.key says who is a member: keep it safe, and a copy elsewhere.")
        typer.echo("Next: coterie federation serve, and coterie federation invite NAME for each member.")


@app.command(cls=Command)
def serve(folder: Home = HOME) -> None:
    """Answer those who join, until interrupted."""
    with outcome():
        from coterie.runtime.authority import Authority

        authority = Authority.open(folder)
        try:
            asyncio.run(_serve(authority))
        except KeyboardInterrupt:
            raise typer.Exit(INTERRUPTED) from None


async def _serve(authority: "Authority") -> None:
    from coterie.core.errors import ScenarioError
    from coterie.runtime.addresses import parsed
    from coterie.runtime.enrolment import Service

    host, port = parsed(authority.state.address, "address")
    service = Service(authority, lambda what: typer.echo(what, err=True))
    try:
        await service.start("" if host not in {"127.0.0.1", "localhost", "::1"} else host, port)
    except OSError as error:
        raise ScenarioError.at("--address", f"port {port} cannot be listened on ({error.strerror})", "end what uses it") from None
    typer.echo(f"Answering joiners at {authority.state.address}; Ctrl-C ends it.", err=True)
    try:
        await asyncio.Event().wait()
    finally:
        await service.close()


@app.command(cls=Command)
def invite(
    name: Name,
    *,
    node: Annotated[int | None, typer.Option("--node", metavar="N", min=0, help="Its node id; by default the first that is free.")] = None,
    minutes: Annotated[float, typer.Option(metavar="M", min=0.1, help="How long the invitation is good.")] = 60.0,
    folder: Home = HOME,
) -> None:
    """Print an invitation for NAME: good for one node, for an hour. Hand it over by a way that others cannot read."""
    with outcome():
        from coterie.runtime.authority import Authority
        from coterie.runtime.enrolment import invite as invited

        token, number = invited(Authority.open(folder), name, node, 60.0 * minutes)
        typer.echo(f"{name} will be node {number}; on its machine: coterie node join TOKEN --address HOST:PORT", err=True)
        typer.echo(token.written())


@app.command(cls=Command)
def revoke(name: Name, folder: Home = HOME) -> None:
    """Cut NAME off at once: every node that can be reached is told now, the others by their peers."""
    with outcome():
        from coterie.runtime.authority import Authority
        from coterie.runtime.transport.messenger import bring

        authority = Authority.open(folder)
        member = authority.revoke(name)
        told = asyncio.run(bring(authority.messenger(), authority.register, authority.signed_register))
        typer.echo(f"{name} (node {member.node}) is revoked by register {authority.register.number}.")
        reached = [one for one, took in told.items() if took]
        missed = [one for one, took in told.items() if not took]
        if reached:
            typer.echo(f"Told: {', '.join(reached)}.")
        if missed:
            typer.echo(f"Not running, or not to be reached: {', '.join(missed)}; they learn it from the first peer they meet.")


@app.command(cls=Command)
def status(folder: Home = HOME, as_json: AsJson = False) -> None:
    """Show the members, who is invited, and which nodes can be reached."""
    with outcome():
        from coterie.runtime.authority import Authority
        from coterie.runtime.statuses import federation_status, show_federation

        found = asyncio.run(federation_status(Authority.open(folder)))
        if as_json:
            import json

            typer.echo(json.dumps(found, indent=2))
        else:
            show_federation(found)
