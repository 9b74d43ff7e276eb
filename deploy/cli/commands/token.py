"""`storecast token`."""

import typer


def token(context: typer.Context) -> None:
    """Make a token for trying things out: --sub NAME --scope SCOPE --minutes N."""
    from deploy.local.settings import TokenSettings
    from shared.identity.command import read_options
    from shared.identity.minting import mint

    wanted = read_options("storecast token", context.args)
    typer.echo(mint(TokenSettings.load(), *wanted))
