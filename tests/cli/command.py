"""The command line, called within the process."""

from typer.testing import CliRunner

from coterie.cli import app

SCENARIO = """\
name: clinics
nodes: 6
until: 2
task: digits
partition: {name: dirichlet, alpha: 0.3}
architecture: decentralized
topology: ring
executor: inline
training: {batch_size: 64}
"""


def coterie_(*words):
    """Runs a command; anything but an orderly end is an error of the test."""
    result = CliRunner().invoke(app, [str(word) for word in words])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result
