"""What the OpenAPI document of the product API links."""

from pydantic import SecretStr

from api_service.app import create_app
from api_service.settings import Settings
from tests.tokens import JWT_SECRET


def test_what_was_made_leads_to_all_that_can_be_done_with_it() -> None:
    """A program that follows the document finds reading, changing and removing a product from its making."""
    settings = Settings(
        mongo_url=SecretStr("mongodb://127.0.0.1:1/none"),
        emitter_secret=SecretStr("a secret of the tests"),
        jwt_secret=SecretStr(JWT_SECRET),
    )
    paths = create_app(settings).openapi()["paths"]
    links = paths["/products"]["post"]["responses"]["201"]["links"].values()
    assert all(link["parameters"] == {"product_id": "$response.body#/id"} for link in links)
    linked = {link["operationId"] for link in links}
    assert linked == {operation["operationId"] for operation in paths["/products/{product_id}"].values()}
