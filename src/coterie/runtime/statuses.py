"""How a node and a federation are: what a running node writes down every second, and what its authority asks of all."""

import asyncio
import json
import time
from pathlib import Path
from typing import Any

from coterie.core.errors import ScenarioError
from coterie.runtime.authority import Authority
from coterie.runtime.checkpoints import where_there_is_room
from coterie.runtime.identity import write_private

STATUS = "status.json"
STALE_SECONDS, BLOCK_BYTES = 5.0, 4096
TOPIC = "status"


def write_status(folder: Path, status: dict[str, Any]) -> None:
    """Keep what a node says of itself in its folder; on a disk that is full, in the room that the last one took."""
    file, data = folder / STATUS, json.dumps(status | {"updated": time.time()}).encode()
    data = data.ljust(-(-len(data) // BLOCK_BYTES) * BLOCK_BYTES)
    if where_there_is_room(lambda: write_private(file, data)) and file.exists() and file.stat().st_size >= len(data):
        file.with_name(STATUS + ".partial").unlink(missing_ok=True)
        with file.open("r+b") as opened:
            opened.write(data)
            opened.truncate()


def read_status(folder: Path) -> dict[str, Any]:
    """What the node in `folder` said last; raises ScenarioError where it never ran."""
    try:
        found: dict[str, Any] = json.loads((folder / STATUS).read_bytes())
    except (OSError, ValueError):
        raise ScenarioError.at(str(folder), "no node has run here yet", "start it: coterie node start --folder " + str(folder)) from None
    if found["state"] not in {"finished", "failed", "refused", "stopped"} and time.time() - found["updated"] > STALE_SECONDS:
        found["state"] = "gone"
        found["problem"] = found.get("problem") or "its process ended without a word"
    return found


async def federation_status(authority: Authority) -> dict[str, Any]:
    """What every member that can be reached says of itself, asked now."""
    from coterie.runtime.transport.messenger import ask

    register, state = authority.register, authority.state
    members = [member for member in register.members if not member.revoked]
    credentials = authority.messenger()
    answers = await asyncio.gather(
        *(ask(credentials, member.address, register.host(member.node), TOPIC) if member.address else _nothing() for member in members)
    )
    said = {member.node: answer for member, answer in zip(members, answers, strict=True)}
    return {
        "federation": state.federation,
        "name": state.name,
        "register": register.number,
        "nodes": state.nodes,
        "members": [
            {
                "node": member.node,
                "name": member.name,
                "address": member.address,
                "state": "revoked" if member.revoked else (said.get(member.node) or {}).get("state", "not reached"),
                "status": said.get(member.node),
            }
            for member in register.members
        ],
        "invited": [one.name for one in state.invitations if not one.taken_by and one.expires > time.time()],
    }


async def _nothing() -> None:
    return None


def show_federation(found: dict[str, Any]) -> None:
    """A table on standard output."""
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, header_style="dim")
    for heading in ("node", "name", "address", "state", "round", "last problem"):
        table.add_column(heading, justify="right" if heading in {"node", "round"} else "left")
    for member in found["members"]:
        status = member["status"] or {}
        rounds = f"{status['round']}/{status['rounds']}" if "round" in status else ""
        cells = (
            str(member["node"]),
            member["name"],
            member["address"] or "dials out",
            member["state"],
            rounds,
            status.get("problem") or "",
        )
        table.add_row(*map(Text, cells))
    console = Console()
    console.print(Text(f"{found['name']}: {len(found['members'])} of {found['nodes']} nodes have joined (register {found['register']})"))
    console.print(table)
    if found["invited"]:
        console.print(Text(f"Invited: {', '.join(found['invited'])}"))


def show_node(found: dict[str, Any]) -> None:
    """A few lines and a table of peers on standard output."""
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from coterie.reporting.units import data_size

    console = Console()
    rounds = f", round {found['round']} of {found['rounds']}" if "round" in found else ""
    console.print(Text(f"{found['name']} (node {found['node']}, {found.get('role', '')}): {found['state']}{rounds}"))
    for key in ("waits_for", "problem"):
        if found.get(key):
            console.print(Text(f"{key.replace('_', ' ')}: {found[key]}"))
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, header_style="dim")
    for heading in ("peer", "name", "link", "sent", "received", "last problem"):
        table.add_column(heading, justify="right" if heading in {"peer", "sent", "received"} else "left")
    for peer in found.get("peers", ()):
        table.add_row(
            str(peer["node"]),
            Text(peer["name"]),
            peer["state"],
            data_size(peer["bytes_sent"]),
            data_size(peer["bytes_received"]),
            Text(peer["problem"]),
        )
    console.print(table)
    if found.get("traceback"):
        console.print(Text(found["traceback"]))
