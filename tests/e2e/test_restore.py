from typing import Any

from pymongo import MongoClient

from tests.listening import Listener
from tests.system import System


async def test_a_restored_catalogue_is_told_as_a_new_one_and_not_product_by_product(storecast: System) -> None:
    """The procedure of docs/operations.md: connected clients are told to read anew, and hear only what changes then.

    What is put back is what was saved; numbers begin again under another epoch, so that no old one is taken for a new.
    """
    await storecast.create_many(3)
    async with Listener(storecast.url, transports=["websocket"]) as listener:
        await storecast.create("lost by the restore")
        [lost] = await listener.client.heard(1)
        for name in storecast.api_urls:
            await storecast.stop(name)
        saved = _put_back(storecast.mongo_url, without=lost.payload["id"])
        await storecast.restore()
        # The connection is cut, comes back by itself, and says where it was.
        welcome = (await listener.client.welcomed(2))[-1]
        assert not welcome["recovered"]
        new = await storecast.create("made after the restore")
        [_, heard] = await listener.client.heard(2)

    assert (heard.payload["id"], heard.seq) == (new["id"], 1)
    assert heard.offset.partition(":")[0] != lost.offset.partition(":")[0]
    assert (await storecast.http.get("/events", params={"after": lost.offset})).status_code == 410
    assert _ids(storecast.mongo_url) == {*saved, new["id"]}


async def test_a_log_that_was_put_back_is_of_another_epoch_once_that_is_set(storecast: System) -> None:
    """After a snapshot the operator sets an epoch: no number of the old log is given again under the old one."""
    await storecast.create_many(2)
    async with Listener(storecast.url, transports=["websocket"]) as listener:
        for name in storecast.api_urls:
            await storecast.stop(name)
        client: MongoClient[dict[str, Any]] = MongoClient(storecast.mongo_url)
        with client:
            client.get_default_database()["feed"].update_one(
                {"_id": "feed"}, {"$set": {"epoch": "set-by-hand"}, "$unset": {"relayed": ""}}
            )
        await storecast.restore()
        welcome = (await listener.client.welcomed(2))[-1]

    assert not welcome["recovered"]
    assert welcome["position"].startswith("set-by-hand:")


def _put_back(url: str, without: str) -> set[str]:
    """Do what `mongorestore --drop` and dropping the two other collections do, on products from before one was made."""
    client: MongoClient[dict[str, Any]] = MongoClient(url)
    with client:
        database = client.get_default_database()
        saved = [document for document in database["products"].find() if str(document["_id"]) != without]
        database.drop_collection("products")
        database["products"].insert_many(saved)
        for name in ("events", "feed"):
            database.drop_collection(name)
        return {str(document["_id"]) for document in saved}


def _ids(url: str) -> set[str]:
    """Return the ids of all products: other tests have made any number of them."""
    client: MongoClient[dict[str, Any]] = MongoClient(url)
    with client:
        return {str(document["_id"]) for document in client.get_default_database()["products"].find()}
