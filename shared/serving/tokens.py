"""Which keys the tokens of a service are read with: its settings say whether they are known here or fetched."""

from shared.errors import StartupError
from shared.identity.keys import Keys, SharedSecrets
from shared.identity.tokens import Tokens
from shared.serving.key_set import KeySet
from shared.settings import ServiceSettings


def tokens_of(settings: ServiceSettings) -> Tokens:
    """Return what reads the tokens that the settings speak of.

    Raises:
        StartupError: the settings do not say who signs them.
    """
    return Tokens(settings, _keys(settings))


def _keys(settings: ServiceSettings) -> Keys:
    secrets = [settings.jwt_secret.get_secret_value(), settings.jwt_secret_previous.get_secret_value()]
    if settings.jwks_url:
        if any(secrets):
            raise StartupError("STORECAST_JWKS_URL, STORECAST_JWT_SECRET: set one of them")
        if not settings.jwt_issuer:
            # A provider may sign for many with the same keys.
            raise StartupError("STORECAST_JWT_ISSUER: set it to the iss of the tokens of STORECAST_JWKS_URL")
        return KeySet(settings.jwks_url)
    if not secrets[0] and settings.auth != "off":
        raise StartupError(
            "STORECAST_JWT_SECRET: set it to what signs the tokens, or set STORECAST_JWKS_URL; "
            "STORECAST_AUTH=off does without tokens, on loopback alone"
        )
    if settings.emitter_secret.get_secret_value() in secrets:
        raise StartupError(
            "STORECAST_JWT_SECRET, STORECAST_EMITTER_SECRET: who may push is nobody who may sign, set two"
        )
    return SharedSecrets(secret for secret in secrets if secret)
